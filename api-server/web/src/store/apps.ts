// The list of applications: one feed for the whole page, one engine for its filters.

import { computed, effect, signal, untracked } from '@preact/signals';
import { ListEngine, type Query } from '../lib/listengine';
import { Feed } from '../live/feed';
import { beforeLeaving, params, path, setParams } from '../routes/router';
import { readQuery } from '../routes/listquery';
import type { AppRow } from '../types';
import { APP_DEFAULTS, appListSpec } from './appspec';
import { isFavourite, prefs } from './prefs';

export const appsFeed = new Feed<AppRow>('apps', {}, APP_DEFAULTS);
export const apps = appsFeed.table;

export const engine = new ListEngine<AppRow>(appListSpec(isFavourite));

// Rises when the engine's result may have changed.
const revision = signal(0);
// The query of the list page; it survives on other pages for "next" and "previous".
export const listQuery = signal<Query>(readQuery(new URLSearchParams()));

apps.onChange(c => {
    if (c.del.length > 0) engine.removeAll(c.del);
    for (const k of c.set) engine.upsert(k, apps.get(k)!);
    revision.value++;
});

const ADDRESS_DELAY = 150;
let typed: string | undefined;
let typing: ReturnType<typeof setTimeout> | undefined;

// The search filters at once; the address follows when the typing rests (browsers limit how often it may change).
export function setSearch(text: string): void {
    typed = text;
    listQuery.value = { ...listQuery.peek(), search: text };
    clearTimeout(typing);
    typing = setTimeout(settleSearch, ADDRESS_DELAY);
}

function settleSearch(): void {
    if (typed === undefined) return;
    const search = typed;
    dropSearch();
    if (onList()) setParams({ search });
}

// Forgets what was typed and is not in the address yet.
export function dropSearch(): void {
    typed = undefined;
    clearTimeout(typing);
}

function onList(): boolean {
    return /^\/applications\/?$/.test(path.peek());
}

let lastQuery: Query | undefined;

// Keys of the shown rows, in order.
export const shownKeys = computed(() => {
    void revision.value;
    const q = listQuery.value;
    if (q !== lastQuery) {
        if (__TEST__) performance.mark('filter-start');
        engine.setQuery(q);
        lastQuery = q;
    }
    const keys = engine.keys();
    if (__TEST__ && performance.getEntriesByName('filter-start').length > 0) {
        performance.measure('filter', 'filter-start');
        performance.clearMarks('filter-start');
    }
    return keys;
});

export const searchError = computed(() => {
    void shownKeys.value;
    return engine.searchError;
});

export function facetCounts(facet: string): ReadonlyMap<string, number> {
    void shownKeys.value;
    return new Map(engine.countsOf(facet));
}

export const totalApps = computed(() => {
    void revision.value;
    return engine.total;
});

export function startApps(): void {
    beforeLeaving(settleSearch);
    effect(() => {
        const p = params.value;
        if (!onList()) return;
        const q = readQuery(p);
        listQuery.value = typed === undefined ? q : { ...q, search: typed };
    });
    let before = new Set(prefs.peek().favourites);
    effect(() => {
        const now = new Set(prefs.value.favourites);
        untracked(() => {
            for (const k of new Set([...before, ...now])) {
                const row = before.has(k) !== now.has(k) ? apps.get(k) : undefined;
                if (row) engine.upsert(k, row);
            }
            if ([...before].some(k => !now.has(k)) || [...now].some(k => !before.has(k))) revision.value++;
        });
        before = now;
    });
}

// The neighbours of an application in the filtered list.
export function neighbours(key: string): { previous?: string; next?: string; index: number; total: number } {
    const keys = shownKeys.value;
    const i = keys.indexOf(key);
    return i < 0 ? { index: -1, total: keys.length } : { previous: keys[i - 1], next: keys[i + 1], index: i, total: keys.length };
}
