// Screen S4: the tree. The model and the layout are pure (lib/treemodel.ts, lib/treelayout.ts); this file keeps what the
// user did to the view (folded, opened, grouped) and puts the pieces together.

import { useMemo, useRef, useState } from 'preact/hooks';
import { plural } from '../../lib/text';
import { layout } from '../../lib/treelayout';
import { AUTO_GROUP_NODES, AUTO_POD_GROUP, buildCards, buildItems, readFilter, type Card, type TreeOptions } from '../../lib/treemodel';
import { useCommands } from '../../routes/keys';
import { param, setParams } from '../../routes/router';
import { prefs, setPref } from '../../store/prefs';
import { Button } from '../../widgets/controls';
import { Blank, Bones } from '../../widgets/states';
import { appNode, openNode, type AppContext } from './context';
import { ResourceFilterBar } from './treebar';
import { Viewport, type ViewportHandle } from './viewport';

function measured<T>(name: string, work: () => T): T {
    if (!__TEST__) return work();
    const start = performance.now();
    const out = work();
    performance.measure(name, { start });
    return out;
}

function toggled(set: ReadonlySet<string>, id: string): Set<string> {
    const next = new Set(set);
    if (!next.delete(id)) next.add(id);
    return next;
}

export default function TreeView({ ctx }: { ctx: AppContext }) {
    const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
    const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
    const [onlyProblems, setOnlyProblems] = useState(false);
    const [grouping, setGrouping] = useState<boolean>();
    const [pods, setPods] = useState<TreeOptions['podGroups']>('auto');
    const [focus, setFocus] = useState('app');
    const view = useRef<ViewportHandle>(null);
    const direction = prefs.value.treeDirection;

    const nodes = ctx.store.nodes.value;
    const managed = ctx.app.status?.resources;
    const items = useMemo(() => measured('tree-items', () => buildItems(nodes, managed ?? [])), [nodes, managed]);
    const crowded = items.length > AUTO_GROUP_NODES;
    const groupKinds = grouping ?? crowded;
    const text = param('resource');
    const orphaned = param('orphaned') === 'true';
    const cards = useMemo(
        () => measured('tree-cards', () => buildCards(items, { filter: readFilter(text), onlyProblems, orphaned, groupKinds, podGroups: pods, folded, opened })),
        [items, text, onlyProblems, orphaned, groupKinds, pods, folded, opened],
    );
    const lay = useMemo(() => measured('tree-layout', () => layout(cards, direction)), [cards, direction]);
    const podCards = cards.filter(c => c.kind === 'pods').length;

    const fold = (c: Card) => {
        if (c.kind === 'group' || c.kind === 'pods') setOpened(toggled(opened, c.id));
        else if (c.hasChildren || c.folded) setFolded(toggled(folded, c.id));
    };
    const activate = (c: Card) => {
        if (c.kind === 'app') openNode(appNode(ctx.ref));
        else if (c.kind === 'stub') clear();
        else if (c.item) openNode(c.item.node);
        else fold(c);
    };
    const clear = () => {
        setOnlyProblems(false);
        setParams({ resource: null });
    };
    const foldAll = () => setFolded(new Set(cards.filter(c => c.kind === 'resource' && c.hasChildren).map(c => c.id)));
    const turn = () => setPref('treeDirection', direction === 'LR' ? 'TB' : 'LR');
    const current = () => cards.find(c => c.id === focus) ?? cards[0]!;
    useCommands([
        { keys: '.', title: 'Fold or unfold', group: 'Tree', run: () => fold(current()) },
        { keys: '+', title: 'Zoom in', group: 'Tree', run: () => view.current?.zoomBy(1.25) },
        { keys: '=', title: 'Zoom in', group: 'Tree', run: () => view.current?.zoomBy(1.25) },
        { keys: '-', title: 'Zoom out', group: 'Tree', run: () => view.current?.zoomBy(0.8) },
        { keys: '0', title: 'Fit the tree into the window', group: 'Tree', run: () => view.current?.fit() },
    ]);

    // Without the tree the managed resources alone are drawn; while it is on its way nothing is, so that nothing jumps.
    if (!ctx.store.tree.table.ready.value && !ctx.store.tree.table.error.value) {
        return (
            <div class="pad">
                <Bones />
            </div>
        );
    }
    const allPods = items.some(i => i.node.kind === 'Pod');
    return (
        <div class="tree">
            <ResourceFilterBar items={items} onlyProblems={onlyProblems} setOnlyProblems={setOnlyProblems}>
                <span class="muted small" data-testid="resource-count">
                    {plural(items.length, 'resource')}
                    {groupKinds && ', grouped'}
                </span>
                <Button tiny kind="quiet" icon="group" label="Group by kind" bare pressed={groupKinds} onClick={() => setGrouping(!groupKinds)} testid="group-kinds" />
                {allPods && (
                    <Button
                        tiny
                        kind="quiet"
                        icon="dots"
                        bare
                        label={podCards > 0 ? 'Show pods one by one' : 'Show pods as dots'}
                        title={podCards > 0 && pods === 'auto' ? `Owners of more than ${AUTO_POD_GROUP} pods show them as dots` : undefined}
                        pressed={podCards > 0}
                        onClick={() => {
                            setOpened(new Set());
                            setPods(podCards > 0 ? 'off' : 'on');
                        }}
                        testid="group-pods"
                    />
                )}
                <Button tiny kind="quiet" bare icon="minus" label="Fold all" onClick={foldAll} />
                <Button tiny kind="quiet" bare icon="plus" label="Unfold all" onClick={() => (setFolded(new Set()), setOpened(new Set()))} />
                <Button tiny kind="quiet" bare icon="turn" label={direction === 'LR' ? 'Lay out from top to bottom' : 'Lay out from left to right'} onClick={turn} />
            </ResourceFilterBar>
            {items.length === 0 ? (
                <Blank icon="tree" title="No resources yet">
                    {ctx.app.status?.sync?.status ? 'The source of this application has no resources.' : 'The controller has not compared this application yet.'}
                </Blank>
            ) : (
                <Viewport ctx={ctx} cards={cards} layout={lay} direction={direction} focus={focus} setFocus={setFocus} fold={fold} activate={activate} handle={view} />
            )}
        </div>
    );
}
