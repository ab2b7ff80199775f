// Search, view, order, and what is done to all that match.

import { plural } from '../../lib/text';
import { activeFacets } from '../../routes/listquery';
import { param, setParams } from '../../routes/router';
import { listQuery, searchError, setSearch, shownKeys, totalApps } from '../../store/apps';
import { APP_SORTS } from '../../store/appspec';
import { filtersShown, phone, prefs, setPref, toggleFilters } from '../../store/prefs';
import { can } from '../../store/session';
import { Button, MenuButton } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import type { BulkKind } from './bulk';

export type View = 'tiles' | 'list';

export function currentView(): View {
    // A phone shows the rows of the table as cards.
    const v = phone.value ? 'tiles' : param('view') || prefs.value.listView;
    return v === 'list' ? 'list' : 'tiles';
}

export function setView(v: View): void {
    setPref('listView', v);
    setParams({ view: v });
}

export function Toolbar({ searchRef, onBulk }: { searchRef: { current: HTMLInputElement | null }; onBulk: (k: BulkKind) => void }) {
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
