// Screen S2: the applications.

import type { RefObject } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AppRef } from '../../rest/api';
import { lazy } from '../../lib/lazy';
import { useTitle } from '../../lib/title';
import { useCommands } from '../../routes/keys';
import { appHref, navigate, param, setParams } from '../../routes/router';
import { refresh, selected } from '../../store/actions';
import { apps, appsFeed, listQuery, searchError, shownKeys, totalApps } from '../../store/apps';
import { filtersShown, prefs, toggleFilters } from '../../store/prefs';
import { toast } from '../../store/toasts';
import { Button } from '../../widgets/controls';
import { Blank, Guard, Problem } from '../../widgets/states';
import { VirtualList, type VirtualHandle } from '../../widgets/virtual';
import type { BulkKind } from './bulk';
import { useCursor, useSelect } from './cursor';
import { Chips, clearAll, Facets, StatusBar } from './facets';
import { openSync } from './parts';
import { Selection } from './selection';
import { COLUMN_COUNT, TableHead, TableRow } from './table';
import { Tile, TILE_HEIGHT } from './tiles';
import { currentView, setView, Toolbar, type View } from './toolbar';

const Bulk = lazy(() => import('../dialogs').then(m => m.Bulk));
const SyncPanel = lazy(() => import('../dialogs').then(m => m.SyncPanel));
const DeleteApp = lazy(() => import('../dialogs').then(m => m.DeleteApp));
const CreateApp = lazy(() => import('../dialogs').then(m => m.CreateApp));

function Empty() {
    const error = apps.error.value;
    if (error && error.http === 403) {
        return (
            <Blank icon="k-secret" title="You may not see applications">
                You need applications, get. {error.message}
            </Blank>
        );
    }
    if (totalApps.value > 0) {
        return (
            <Blank icon="filter" title="No application matches" testid="none-match" action={<Button label="Clear filters" onClick={clearAll} />}>
                {searchError.value ? `The regular expression is not valid: ${searchError.value}` : 'Your search and filters leave nothing.'}
            </Blank>
        );
    }
    return (
        <Blank
            icon="k-application"
            title="No applications yet"
            testid="no-apps"
            action={<Button kind="primary" icon="plus" label="Create application" onClick={() => setParams({ new: '{}' }, { push: true })} />}
        >
            An application ties a folder of a Git repository, or a chart, to a namespace of a cluster, and keeps the two the same.
        </Blank>
    );
}

function Skeleton({ view }: { view: View }) {
    return (
        <div class={view === 'tiles' ? 'bone-tiles' : 'bone-rows'} aria-hidden="true">
            {Array.from({ length: view === 'tiles' ? 9 : 14 }, (_, i) => (
                <span class="bone" key={i} />
            ))}
        </div>
    );
}

interface ListProps {
    view: View;
    keys: readonly string[];
    cursor: string | undefined;
    onSelect: (id: string, e: MouseEvent) => void;
    list: RefObject<VirtualHandle | null>;
    onColumns: (n: number) => void;
}

function List(p: ListProps) {
    const error = apps.error.value;
    if (error && error.http !== 403) {
        return (
            <div class="page">
                <Problem title="The applications could not be loaded." message={error.message} retry={() => appsFeed.retry()} />
            </div>
        );
    }
    if (!apps.ready.value && apps.size === 0 && !error) return <Skeleton view={p.view} />;
    if (p.keys.length === 0) return <Empty />;
    return p.view === 'tiles' ? <Tiles {...p} /> : <Table {...p} />;
}

// Another query starts at the top.
const resetKey = (view: View) => JSON.stringify([listQuery.value, view]);

function Tiles({ view, keys, cursor, onSelect, list, onColumns }: ListProps) {
    const sel = selected.value;
    return (
        <VirtualList
            name="tiles"
            keys={keys}
            rowHeight={TILE_HEIGHT}
            minWidth={312}
            gap={12}
            padding={16}
            overscan={1}
            resetKey={resetKey(view)}
            handle={list}
            onColumns={onColumns}
            inner={{ role: 'group', 'aria-label': 'Applications' }}
        >
            {(k, _, slot) => <Tile key={slot} id={k} selected={sel.has(k)} cursor={k === cursor} onSelect={onSelect} />}
        </VirtualList>
    );
}

function Table({ view, keys, cursor, onSelect, list, onColumns }: ListProps) {
    const sel = selected.value;
    const all = sel.size > 0 && keys.every(k => sel.has(k));
    return (
        <VirtualList
            name="table"
            class="grid"
            keys={keys}
            rowHeight={prefs.value.density === 'compact' ? 28 : 40}
            resetKey={resetKey(view)}
            handle={list}
            onColumns={onColumns}
            outer={{ role: 'grid', 'aria-label': 'Applications', 'aria-rowcount': keys.length + 1, 'aria-colcount': COLUMN_COUNT, 'aria-multiselectable': 'true' }}
            inner={{ role: 'rowgroup' }}
            header={<TableHead all={all} some={sel.size > 0} onAll={() => (selected.value = all ? new Set() : new Set(keys))} />}
        >
            {(k, i, slot) => <TableRow key={slot} id={k} index={i} selected={sel.has(k)} cursor={k === cursor} onSelect={onSelect} />}
        </VirtualList>
    );
}

// What the address opens over the list.
function Overlays() {
    const close = () => setParams({ syncApp: null, deleteApp: null, appNamespace: null, new: null });
    const namespace = param('appNamespace');
    const created = (a: AppRef) => {
        toast('success', `${a.name} was created`);
        navigate(appHref(a));
    };
    if (param('syncApp')) return <SyncPanel app={{ name: param('syncApp'), namespace }} onClose={close} onDone={close} />;
    if (param('deleteApp')) return <DeleteApp app={{ name: param('deleteApp'), namespace }} onClose={close} onDone={close} />;
    return param('new') ? <CreateApp onClose={close} onDone={created} /> : null;
}

export default function Applications() {
    useTitle('Applications');
    useEffect(() => appsFeed.acquire(), []);
    const searchRef = useRef<HTMLInputElement>(null);
    const list = useRef<VirtualHandle>(null);
    const columns = useRef(1);
    const [bulk, setBulk] = useState<{ kind: BulkKind; keys: string[] }>();
    const view = currentView();
    const keys = shownKeys.value;
    const { cursor, current, move, go } = useCursor(keys, list);
    const onSelect = useSelect();
    const chosen = [...selected.value].filter(k => apps.row(k));

    useEffect(() => {
        // The links of mails and chats: refresh everything that matches.
        if (param('refreshApps') === 'true' && apps.ready.peek()) {
            setParams({ refreshApps: null });
            setBulk({ kind: 'refresh', keys: [...shownKeys.peek()] });
        }
    }, [apps.ready.value]);

    const here = () => apps.get(current() ?? '');
    const step = columns.current;
    const act = (run: () => void) => () => void (here() && run());
    useCommands([
        { keys: '/', title: 'Search', group: 'Applications', run: () => searchRef.current?.select() },
        { keys: 'f', title: 'Show or hide the filters', group: 'Applications', run: toggleFilters },
        { keys: '1', title: 'Show tiles', group: 'Applications', run: () => setView('tiles') },
        { keys: '2', title: 'Show the table', group: 'Applications', run: () => setView('list') },
        ...(['ArrowDown', 'j'] as const).map(k => ({ keys: k, title: 'Next row', group: 'Move', run: () => move(step, false) })),
        ...(['ArrowUp', 'k'] as const).map(k => ({ keys: k, title: 'Previous row', group: 'Move', run: () => move(-step, false) })),
        ...(['ArrowRight', 'l'] as const).map(k => ({ keys: k, title: 'Next', group: 'Move', run: () => move(1, false) })),
        ...(['ArrowLeft', 'h'] as const).map(k => ({ keys: k, title: 'Previous', group: 'Move', run: () => move(-1, false) })),
        { keys: 'Home', title: 'First application', group: 'Move', run: () => go(0, false) },
        { keys: 'End', title: 'Last application', group: 'Move', run: () => go(Infinity, false) },
        { keys: 'Shift+ArrowDown', title: 'Extend the selection down', group: 'Select', run: () => move(step, true) },
        { keys: 'Shift+ArrowUp', title: 'Extend the selection up', group: 'Select', run: () => move(-step, true) },
        ...(['x', 'Space'] as const).map(k => ({ keys: k, title: 'Select', group: 'Select', run: act(() => onSelect(current()!, new MouseEvent('click'))) })),
        { keys: 'a', title: 'Select all that match', group: 'Select', run: () => (selected.value = new Set(keys)) },
        { keys: 'Enter', title: 'Open the application', group: 'Applications', run: act(() => navigate(appHref(here()!))) },
        { keys: 's', title: 'Sync', group: 'Applications', run: act(() => (chosen.length > 0 ? setBulk({ kind: 'sync', keys: chosen }) : openSync(here()!))) },
        { keys: 'r', title: 'Refresh', group: 'Applications', run: act(() => (chosen.length > 0 ? setBulk({ kind: 'refresh', keys: chosen }) : void refresh(here()!).catch(() => {}))) },
        { keys: 'Shift+R', title: 'Hard refresh', group: 'Applications', run: act(() => (chosen.length > 0 ? setBulk({ kind: 'hard', keys: chosen }) : void refresh(here()!, 'hard').catch(() => {}))) },
        { keys: 'Escape', title: 'Clear the selection', group: 'Select', run: () => (selected.value = new Set()) },
    ]);

    return (
        <div class="apps">
            <h1 class="sr">Applications</h1>
            <Toolbar searchRef={searchRef} onBulk={kind => setBulk({ kind, keys: [...keys] })} />
            {prefs.value.statusBar && <StatusBar />}
            <Chips />
            <div class="apps-body">
                {filtersShown.value && <Facets />}
                <div class="apps-list">
                    <Guard what="The list">
                        <List view={view} keys={keys} cursor={cursor} onSelect={onSelect} list={list} onColumns={n => (columns.current = n)} />
                    </Guard>
                    {chosen.length > 0 && <Selection keys={chosen} matching={keys.length} onAll={() => (selected.value = new Set(keys))} onBulk={kind => setBulk({ kind, keys: chosen })} />}
                </div>
            </div>
            {bulk && <Bulk kind={bulk.kind} keys={bulk.keys} onClose={() => setBulk(undefined)} />}
            <Overlays />
        </div>
    );
}

