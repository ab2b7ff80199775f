// Screen S2: the applications.

import { useEffect, useRef, useState } from 'preact/hooks';
import { lazy } from '../../lib/lazy';
import { plural } from '../../lib/text';
import { useTitle } from '../../lib/title';
import { useCommands } from '../../routes/keys';
import { appHref, navigate, param, setParams } from '../../routes/router';
import { refresh, selected } from '../../store/actions';
import { apps, appsFeed, listQuery, searchError, setSearch, shownKeys, totalApps } from '../../store/apps';
import { APP_SORTS } from '../../store/appspec';
import { filtersShown, phone, prefs, setPref, toggleFilters } from '../../store/prefs';
import { can } from '../../store/session';
import { toast } from '../../store/toasts';
import { Button, MenuButton } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { Blank, Guard, Problem } from '../../widgets/states';
import { VirtualList, type VirtualHandle } from '../../widgets/virtual';
import { activeFacets } from '../../routes/listquery';
import type { BulkKind } from './bulk';
import { Chips, clearAll, Facets, StatusBar } from './facets';
import { openSync } from './parts';
import { COLUMN_COUNT, TableHead, TableRow } from './table';
import { Tile, TILE_HEIGHT } from './tiles';
import { Selection } from './selection';

const Bulk = lazy(() => import('../dialogs').then(m => m.Bulk));
const SyncPanel = lazy(() => import('../dialogs').then(m => m.SyncPanel));
const DeleteApp = lazy(() => import('../dialogs').then(m => m.DeleteApp));
const CreateApp = lazy(() => import('../dialogs').then(m => m.CreateApp));

type View = 'tiles' | 'list';

function currentView(): View {
    // A phone shows the rows of the table as cards.
    const v = phone.value ? 'tiles' : param('view') || prefs.value.listView;
    return v === 'list' ? 'list' : 'tiles';
}

function setView(v: View): void {
    setPref('listView', v);
    setParams({ view: v });
}

function Toolbar({ searchRef, onBulk }: { searchRef: { current: HTMLInputElement | null }; onBulk: (k: BulkKind) => void }) {
    const q = listQuery.value;
    const view = currentView();
    const filters = activeFacets(q).length;
    const shown = shownKeys.value.length;
    return (
        <div class="toolbar">
            <Button
                icon="filter"
                label={filters > 0 ? `Filters (${filters})` : 'Filters'}
                pressed={filtersShown.value}
                onClick={toggleFilters}
                testid="filters"
            />
            <div class="search">
                <Icon name="search" />
                <input
                    ref={searchRef}
                    class="input"
                    type="search"
                    placeholder="Search by name"
                    aria-label="Search applications"
                    aria-invalid={searchError.value !== ''}
                    title={searchError.value || undefined}
                    value={q.search}
                    onInput={e => setSearch(e.currentTarget.value)}
                    data-testid="search"
                />
                <button
                    type="button"
                    class="regex"
                    aria-pressed={q.regex}
                    title="Regular expression"
                    aria-label="Search by regular expression"
                    onClick={() => setParams({ regex: q.regex ? null : 'true' })}
                >
                    .*
                </button>
            </div>
            <span class="muted count" data-testid="shown" aria-live="polite">
                {shown === totalApps.value ? plural(shown, 'application') : `${shown.toLocaleString('en-US')} of ${plural(totalApps.value, 'application')}`}
            </span>
            <span class="grow" />
            <MenuButton
                icon="sync"
                label="All"
                chevron
                title="Act on all applications that match"
                entries={() => [
                    { label: `Sync ${plural(shown, 'application')}…`, icon: 'sync', run: () => onBulk('sync') },
                    { label: `Refresh ${plural(shown, 'application')}`, icon: 'refresh', run: () => onBulk('refresh') },
                ]}
            />
            <MenuButton
                label={`Sort: ${APP_SORTS.find(s => s.id === q.sort)?.title ?? 'Name'}`}
                chevron
                entries={() => [
                    ...APP_SORTS.map(s => ({ label: s.title, checked: s.id === q.sort, run: () => setParams({ sort: s.id === 'name' ? null : s.id }) })),
                    null,
                    { label: 'Descending', checked: q.descending, run: () => setParams({ dir: q.descending ? null : 'desc' }) },
                ]}
            />
            <div class="seg" role="group" aria-label="View">
                <Button icon="apps" label="Tiles" bare pressed={view === 'tiles'} onClick={() => setView('tiles')} testid="view-tiles" />
                <Button icon="rows" label="Table" bare pressed={view === 'list'} onClick={() => setView('list')} testid="view-list" />
            </div>
            <Button
                kind="primary"
                icon="plus"
                label="New app"
                disabled={can('applications', 'create', '*/*') ? undefined : 'You need applications, create'}
                onClick={() => setParams({ new: '{}' }, { push: true })}
                testid="new-app"
            />
        </div>
    );
}

interface CursorApi {
    cursor: string | undefined;
    // The same, when it is asked for.
    current: () => string | undefined;
    move: (by: number, select: boolean) => void;
    go: (to: number, select: boolean) => void;
}

// The keyboard's place in the list. It is a key, so that it stays with its row when the order changes.
function useCursor(keys: readonly string[], list: { current: VirtualHandle | null }): CursorApi {
    const [cursor, setCursor] = useState<string>();
    const focusNext = useRef(false);
    // The place now: keys may come faster than the page is drawn.
    const at = useRef<string | undefined>(undefined);
    at.current = cursor;
    const here = () => {
        const i = at.current === undefined ? -1 : shownKeys.peek().indexOf(at.current);
        return i < 0 ? undefined : i;
    };
    const go = (to: number, select: boolean) => {
        const now = shownKeys.peek();
        if (now.length === 0) return;
        const i = Math.max(0, Math.min(now.length - 1, to));
        if (select) selected.value = new Set([...selected.peek(), ...(at.current ? [at.current] : []), now[i]!]);
        focusNext.current = true;
        at.current = now[i];
        setCursor(now[i]);
        list.current?.reveal(i);
    };
    // The first move shows where the place is.
    const move = (by: number, select: boolean) => go(here() === undefined ? 0 : here()! + by, select);
    useEffect(() => {
        // Elements are taken over by other rows when the list moves; the focus stays with its row.
        const strayed = document.activeElement?.matches('.apps-list a.name:not([data-cursor])');
        if (!focusNext.current && !strayed) return;
        const el = document.querySelector<HTMLElement>('[data-cursor]');
        if (el) {
            focusNext.current = false;
            el.focus({ preventScroll: true });
        }
    });
    return { cursor: cursor !== undefined && keys.includes(cursor) ? cursor : keys[0], current: () => at.current ?? shownKeys.peek()[0], move, go };
}

function useSelect(keys: readonly string[]) {
    const anchor = useRef<string | undefined>(undefined);
    return (id: string, e: MouseEvent) => {
        const next = new Set(selected.peek());
        const from = anchor.current === undefined ? -1 : keys.indexOf(anchor.current);
        const to = keys.indexOf(id);
        if (e.shiftKey && from >= 0 && to >= 0) {
            for (let i = Math.min(from, to); i <= Math.max(from, to); i++) next.add(keys[i]!);
        } else if (next.has(id)) {
            next.delete(id);
        } else {
            next.add(id);
        }
        anchor.current = id;
        selected.value = next;
    };
}

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
    const onSelect = useSelect(keys);
    const sel = selected.value;
    const chosen = [...sel].filter(k => apps.row(k));

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

    const q = listQuery.value;
    const resetKey = JSON.stringify([q, view]);
    const syncApp = param('syncApp');
    const deleteApp = param('deleteApp');
    const close = () => setParams({ syncApp: null, deleteApp: null, appNamespace: null, new: null });
    const ready = apps.ready.value || apps.size > 0;
    const error = apps.error.value;

    let body;
    if (error && error.http !== 403) {
        body = (
            <div class="page">
                <Problem title="The applications could not be loaded." message={error.message} retry={() => appsFeed.retry()} />
            </div>
        );
    } else if (!ready && !error) body = <Skeleton view={view} />;
    else if (keys.length === 0) body = <Empty />;
    else if (view === 'tiles') {
        body = (
            <VirtualList
                name="tiles"
                keys={keys}
                rowHeight={TILE_HEIGHT}
                minWidth={312}
                gap={12}
                padding={16}
                overscan={1}
                resetKey={resetKey}
                handle={list}
                onColumns={n => (columns.current = n)}
                inner={{ role: 'group', 'aria-label': 'Applications' }}
            >
                {(k, _, slot) => <Tile key={slot} id={k} selected={sel.has(k)} cursor={k === cursor} onSelect={onSelect} />}
            </VirtualList>
        );
    } else {
        const rowHeight = prefs.value.density === 'compact' ? 28 : 40;
        body = (
            <VirtualList
                name="table"
                class="grid"
                keys={keys}
                rowHeight={rowHeight}
                resetKey={resetKey}
                handle={list}
                onColumns={n => (columns.current = n)}
                outer={{ role: 'grid', 'aria-label': 'Applications', 'aria-rowcount': keys.length + 1, 'aria-colcount': COLUMN_COUNT, 'aria-multiselectable': 'true' }}
                inner={{ role: 'rowgroup' }}
                header={
                    <TableHead
                        all={chosen.length > 0 && keys.every(k => sel.has(k))}
                        some={chosen.length > 0}
                        onAll={() => (selected.value = keys.every(k => sel.has(k)) ? new Set() : new Set(keys))}
                    />
                }
            >
                {(k, i, slot) => <TableRow key={slot} id={k} index={i} selected={sel.has(k)} cursor={k === cursor} onSelect={onSelect} />}
            </VirtualList>
        );
    }

    return (
        <div class="apps">
            <h1 class="sr">Applications</h1>
            <Toolbar searchRef={searchRef} onBulk={kind => setBulk({ kind, keys: [...keys] })} />
            {prefs.value.statusBar && <StatusBar />}
            <Chips />
            <div class="apps-body">
                {filtersShown.value && <Facets />}
                <div class="apps-list">
                    <Guard what="The list">{body}</Guard>
                    {chosen.length > 0 && <Selection keys={chosen} matching={keys.length} onAll={() => (selected.value = new Set(keys))} onBulk={kind => setBulk({ kind, keys: chosen })} />}
                </div>
            </div>
            {bulk && <Bulk kind={bulk.kind} keys={bulk.keys} onClose={() => setBulk(undefined)} />}
            {syncApp && <SyncPanel app={{ name: syncApp, namespace: param('appNamespace') }} onClose={close} onDone={close} />}
            {deleteApp && <DeleteApp app={{ name: deleteApp, namespace: param('appNamespace') }} onClose={close} onDone={close} />}
            {param('new') && (
                <CreateApp
                    onClose={close}
                    onDone={a => {
                        toast('success', `${a.name} was created`);
                        navigate(appHref(a));
                    }}
                />
            )}
        </div>
    );
}

