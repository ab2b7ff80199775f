import { memo } from '../../lib/memo';
import { appHref, href, setParams } from '../../routes/router';
import { refresh } from '../../store/actions';
import { apps, listQuery } from '../../store/apps';
import { clusterLabel, isRunning, lastSync } from '../../store/appspec';
import { Age, Button, MenuButton, Took } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { HealthStatus, OperationStatus, SyncStatus } from '../../widgets/status';
import { appMenu, displayName, Found, isRefreshing, openSync, revisionText, SourceText, Star } from './parts';
import { hoverProps } from './tiles';

// Sort id, title, class of the column.
const COLUMNS: [string, string, string][] = [
    ['name', 'Name', 'w-name'],
    ['project', 'Project', 'w-project'],
    ['health', 'Health', 'w-health'],
    ['sync', 'Sync', 'w-sync'],
    ['operation', 'Operation', 'w-op'],
    ['source', 'Source', 'w-source'],
    ['destination', 'Destination', 'w-dest'],
    ['created', 'Created', 'w-created'],
    ['lastSync', 'Last sync', 'w-time'],
];

export const COLUMN_COUNT = COLUMNS.length + 2;

export function TableHead({ all, some, onAll }: { all: boolean; some: boolean; onAll: () => void }) {
    const q = listQuery.value;
    const sort = (id: string) => {
        const descending = q.sort === id && !q.descending;
        setParams({ sort: id === 'name' ? null : id, dir: descending ? 'desc' : null });
    };
    return (
        <div class="grid-head" role="rowgroup">
            <div class="grid-row" role="row" aria-rowindex={1}>
                <div role="columnheader" class="w-check">
                    <input
                        type="checkbox"
                        class="box"
                        aria-label="Select all that match"
                        checked={all}
                        ref={e => {
                            if (e) e.indeterminate = some && !all;
                        }}
                        onClick={onAll}
                    />
                </div>
                {COLUMNS.map(([id, title, cls]) => {
                    const on = q.sort === id;
                    return (
                        <div key={id} role="columnheader" class={cls} aria-sort={on ? (q.descending ? 'descending' : 'ascending') : 'none'}>
                            <button type="button" onClick={() => sort(id)}>
                                {title}
                                {on && <Icon name={q.descending ? 'down' : 'up'} />}
                            </button>
                        </div>
                    );
                })}
                <div role="columnheader" class="w-acts">
                    <span class="sr">Actions</span>
                </div>
            </div>
        </div>
    );
}

interface Props {
    id: string;
    index: number;
    selected: boolean;
    cursor: boolean;
    onSelect: (id: string, e: MouseEvent) => void;
}

export const TableRow = memo(function TableRow({ id, index, selected, cursor, onSelect }: Props) {
    const row = apps.row(id)?.value;
    if (!row) return null;
    const name = displayName(row);
    return (
        <div class={`grid-row${selected ? ' selected' : ''}`} role="row" aria-rowindex={index + 2} aria-selected={selected} data-key={id} data-testid="app">
            <div role="gridcell" class="w-check">
                <input type="checkbox" class="box" checked={selected} aria-label={`Select ${row.name}`} onClick={e => onSelect(id, e)} />
            </div>
            <div role="gridcell" class="w-name">
                <Star id={id} name={row.name} />
                <a class="name ellipsis" href={href(appHref(row))} title={name} tabIndex={cursor ? 0 : -1} data-cursor={cursor || undefined} {...hoverProps(row)}>
                    <Found text={name} />
                </a>
            </div>
            <div role="gridcell" class="w-project ellipsis">
                {row.project}
            </div>
            <div role="gridcell" class="w-health">
                <HealthStatus value={row.health} />
            </div>
            <div role="gridcell" class="w-sync">
                <SyncStatus value={row.sync} />
            </div>
            <div role="gridcell" class="w-op">
                {row.op && row.op !== 'Succeeded' ? (
                    <>
                        <OperationStatus value={row.op} />
                        {isRunning(row.op) && row.opStarted && !row.opFinished && (
                            <span class="muted">
                                <Took from={row.opStarted} />
                            </span>
                        )}
                    </>
                ) : null}
            </div>
            <div role="gridcell" class="w-source">
                <SourceText row={row} />
                <span class="muted mono rev">{revisionText(row)}</span>
            </div>
            <div role="gridcell" class="w-dest ellipsis" title={`${clusterLabel(row.dest)} ${row.dest.namespace ?? ''}`}>
                {row.dest.name || clusterLabel(row.dest).split(' ')[0]} <span class="muted">{row.dest.namespace}</span>
            </div>
            <div role="gridcell" class="w-created">
                <Age iso={row.created} />
            </div>
            <div role="gridcell" class="w-time">
                <Age iso={lastSync(row)} />
            </div>
            <div role="gridcell" class="w-acts">
                <Button tiny kind="quiet" bare icon="sync" label={`Sync ${row.name}`} onClick={() => openSync(row)} />
                <Button tiny kind="quiet" bare icon="refresh" label={`Refresh ${row.name}`} busy={isRefreshing(row)} onClick={() => void refresh(row).catch(() => {})} />
                <MenuButton key={id} tiny kind="quiet" bare icon="more" label={`More for ${row.name}`} entries={() => appMenu(row)} />
            </div>
        </div>
    );
});
