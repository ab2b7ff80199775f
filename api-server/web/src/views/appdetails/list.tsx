// Screen S5, list: the resources as a table; also the text equivalent of the tree.

import { useMemo, useState } from 'preact/hooks';
import { naturalKey, compare, plural } from '../../lib/text';
import { buildItems, filterTest, prunes, readFilter, type TreeItem } from '../../lib/treemodel';
import { param } from '../../routes/router';
import { phone, prefs } from '../../store/prefs';
import { Age } from '../../widgets/controls';
import { Icon, KindTile } from '../../widgets/icon';
import { Blank, Bones } from '../../widgets/states';
import { HealthStatus, SyncStatus } from '../../widgets/status';
import { VirtualList } from '../../widgets/virtual';
import { openNode, type AppContext } from './context';
import { ResourceFilterBar } from './treebar';

type Sort = 'name' | 'kind' | 'wave' | 'namespace' | 'created' | 'health' | 'sync';

const COLUMNS: [Sort, string][] = [
    ['name', 'Name'],
    ['kind', 'Kind'],
    ['wave', 'Wave'],
    ['namespace', 'Namespace'],
    ['created', 'Created'],
    ['health', 'Health'],
    ['sync', 'Sync'],
];

const VALUE: Record<Sort, (i: TreeItem) => string | number> = {
    name: i => naturalKey(i.node.name),
    kind: i => `${i.node.kind} ${naturalKey(i.node.name)}`,
    wave: i => Number(i.managed?.syncWave ?? 0),
    namespace: i => i.node.namespace ?? '',
    created: i => Date.parse(i.node.createdAt ?? '') || 0,
    health: i => i.health ?? '',
    sync: i => i.sync ?? '',
};

export default function ListView({ ctx }: { ctx: AppContext }) {
    const [sort, setSort] = useState<{ by: Sort; descending: boolean }>({ by: 'kind', descending: false });
    const [onlyProblems, setOnlyProblems] = useState(false);
    const nodes = ctx.store.nodes.value;
    const managed = ctx.app.status?.resources;
    const items = useMemo(() => buildItems(nodes, managed ?? []), [nodes, managed]);
    const text = param('resource');
    const orphaned = param('orphaned') === 'true';
    const shown = useMemo(() => {
        const test = filterTest(readFilter(text), onlyProblems);
        const list = items.filter(i => (orphaned || !i.orphaned) && (!test || test(i)));
        const sign = sort.descending ? -1 : 1;
        const of = VALUE[sort.by];
        return list.sort((a, b) => {
            const x = of(a);
            const y = of(b);
            return (typeof x === 'number' && typeof y === 'number' ? x - y : compare(String(x), String(y))) * sign || compare(a.key, b.key);
        });
    }, [items, text, onlyProblems, orphaned, sort]);
    const byId = useMemo(() => new Map(shown.map(i => [i.id, i])), [shown]);
    const keys = useMemo(() => shown.map(i => i.id), [shown]);
    const rowHeight = phone.value ? 64 : prefs.value.density === 'compact' ? 28 : 40;
    return (
        <div class="resources">
            <ResourceFilterBar items={items} onlyProblems={onlyProblems} setOnlyProblems={setOnlyProblems}>
                <span class="muted small" data-testid="resource-count">{plural(shown.length, 'resource')}</span>
            </ResourceFilterBar>
            {!ctx.store.tree.table.ready.value && items.length === 0 ? (
                <div class="pad">
                    <Bones />
                </div>
            ) : shown.length === 0 ? (
                <Blank icon="filter" title={items.length === 0 ? 'No resources' : 'No resource matches'} />
            ) : (
                <VirtualList
                    name="resources"
                    class="grid res-grid"
                    keys={keys}
                    rowHeight={rowHeight}
                    outer={{ role: 'grid', 'aria-label': 'Resources', 'aria-rowcount': keys.length + 1, 'aria-colcount': COLUMNS.length, tabIndex: 0 }}
                    inner={{ role: 'rowgroup' }}
                    header={
                        <div class="grid-head" role="rowgroup">
                            <div class="grid-row res" role="row" aria-rowindex={1}>
                                {COLUMNS.map(([id, title]) => (
                                    <div key={id} role="columnheader" class={`r-${id}`} aria-sort={sort.by === id ? (sort.descending ? 'descending' : 'ascending') : 'none'}>
                                        <button type="button" onClick={() => setSort({ by: id, descending: sort.by === id && !sort.descending })}>
                                            {title}
                                            {sort.by === id && <Icon name={sort.descending ? 'down' : 'up'} />}
                                        </button>
                                    </div>
                                ))}
                            </div>
                        </div>
                    }
                >
                    {(k, i, slot) => <Row key={slot} item={byId.get(k)!} index={i} />}
                </VirtualList>
            )}
        </div>
    );
}

function Row({ item, index }: { item: TreeItem; index: number }) {
    const n = item.node;
    return (
        <div class="grid-row res" role="row" aria-rowindex={index + 2} data-testid="resource-row">
            <div role="gridcell" class="r-name">
                <KindTile group={n.group ?? ''} kind={n.kind} />
                <button type="button" class="linkish ellipsis" title={n.name} onClick={() => openNode(n)}>
                    {n.name}
                </button>
                {item.orphaned && <span class="tag">orphaned</span>}
                {prunes(item.managed) && <span class="tag">prune</span>}
            </div>
            <div role="gridcell" class="r-kind ellipsis" title={n.group}>
                {n.kind}
            </div>
            <div role="gridcell" class="r-wave">{item.managed ? (item.managed.syncWave ?? 0) : ''}</div>
            <div role="gridcell" class="r-namespace ellipsis">
                {n.namespace}
            </div>
            <div role="gridcell" class="r-created">
                <Age iso={n.createdAt} />
            </div>
            <div role="gridcell" class="r-health">{item.health && <HealthStatus value={item.health} />}</div>
            <div role="gridcell" class="r-sync">{item.sync && <SyncStatus value={item.sync} />}</div>
        </div>
    );
}
