// What a user prefers, kept in the browser. Argo CD's own preferences are imported once.

import { computed, effect, signal } from '@preact/signals';
import { IMPORTED_PREFS_KEY, PREFS_KEY } from '../product';

export interface Prefs {
    theme: 'auto' | 'light' | 'dark';
    density: 'comfortable' | 'compact';
    listView: 'tiles' | 'list' | 'summary';
    appView: 'tree' | 'list';
    treeDirection: 'LR' | 'TB';
    railCollapsed: boolean;
    filtersOpen: boolean;
    statusBar: boolean;
    singleKeys: boolean;
    // `namespace/name`
    favourites: string[];
}

const DEFAULTS: Prefs = {
    theme: 'auto',
    density: 'comfortable',
    listView: 'tiles',
    appView: 'tree',
    treeDirection: 'LR',
    railCollapsed: false,
    filtersOpen: true,
    statusBar: true,
    singleKeys: true,
    favourites: [],
};

function read(key: string): Record<string, unknown> | undefined {
    try {
        const v: unknown = JSON.parse(localStorage.getItem(key) ?? 'null');
        return typeof v === 'object' && v !== null ? (v as Record<string, unknown>) : undefined;
    } catch {
        return undefined;
    }
}

// Only what has the type of its default is taken: the storage is not ours alone.
function sane(v: Record<string, unknown>): Prefs {
    const p = { ...DEFAULTS } as unknown as Record<string, unknown>;
    for (const [k, d] of Object.entries(DEFAULTS)) {
        if (typeof v[k] === typeof d && Array.isArray(v[k]) === Array.isArray(d)) p[k] = v[k];
    }
    const r = p as unknown as Prefs;
    if (!['auto', 'light', 'dark'].includes(r.theme)) r.theme = 'auto';
    if (!['tiles', 'list', 'summary'].includes(r.listView)) r.listView = 'tiles';
    if (!['tree', 'list'].includes(r.appView)) r.appView = 'tree';
    r.favourites = r.favourites.filter(f => typeof f === 'string');
    return r;
}

function imported(v: Record<string, unknown>, namespace: string): Prefs {
    const list = (v.appList ?? {}) as Record<string, unknown>;
    const favourites = Array.isArray(list.favoritesAppList) ? list.favoritesAppList.filter(f => typeof f === 'string') : [];
    return sane({ theme: v.theme, listView: list.view, favourites: favourites.map(f => `${namespace}/${f}`) });
}

function initial(): Prefs {
    const own = read(PREFS_KEY);
    if (own) return sane(own);
    const argo = read(IMPORTED_PREFS_KEY);
    return argo ? imported(argo, 'argocd') : { ...DEFAULTS };
}

export const prefs = signal<Prefs>(initial());

export function setPref<K extends keyof Prefs>(key: K, value: Prefs[K]): void {
    prefs.value = { ...prefs.peek(), [key]: value };
}

export function isFavourite(key: string): boolean {
    return prefs.peek().favourites.includes(key);
}

export function toggleFavourite(key: string): void {
    const f = prefs.peek().favourites;
    setPref('favourites', f.includes(key) ? f.filter(k => k !== key) : [...f, key]);
}

export function startPrefs(): void {
    effect(() => {
        const p = prefs.value;
        try {
            localStorage.setItem(PREFS_KEY, JSON.stringify(p));
        } catch {
            // A full or forbidden storage costs only that the choice is not remembered.
        }
        const dark = p.theme === 'dark' || (p.theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
        document.documentElement.dataset.theme = dark ? 'dark' : 'light';
        document.documentElement.dataset.density = p.density;
    });
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
        prefs.value = { ...prefs.peek() };
    });
}

// Narrow windows show filters and panels over the page; there they start closed and are not remembered.
export const narrow = signal(false);
const filtersOver = signal(false);
export const filtersShown = computed(() => (narrow.value ? filtersOver.value : prefs.value.filtersOpen));

export function toggleFilters(): void {
    if (narrow.peek()) filtersOver.value = !filtersOver.peek();
    else setPref('filtersOpen', !prefs.peek().filtersOpen);
}

export const phone = signal(false);

export function startWidths(): void {
    const follow = (query: string, to: typeof narrow) => {
        const m = matchMedia(query);
        to.value = m.matches;
        m.addEventListener('change', () => (to.value = m.matches));
    };
    follow('(max-width: 1099px)', narrow);
    follow('(max-width: 599px)', phone);
}
