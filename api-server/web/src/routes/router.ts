// The address is the state: path and query as Argo CD names them (specification V8), relative to the base. Navigation
// pushes, filters replace. Links are real anchors; one listener turns plain clicks on ours into navigation.

import { computed, signal } from '@preact/signals';
import { BASE } from '../rest/http';
import { flush } from '../store/batch';

const basePath = typeof location === 'undefined' ? '/' : new URL(BASE).pathname;

interface Place {
    // Below the base, starting with a slash.
    path: string;
    search: string;
}

function here(): Place {
    const p = location.pathname;
    return { path: p.startsWith(basePath) ? p.slice(basePath.length - 1) : p, search: location.search };
}

const place = signal<Place>(typeof location === 'undefined' ? { path: '/', search: '' } : here());

export const path = computed(() => place.value.path);
export const params = computed(() => new URLSearchParams(place.value.search));

export function param(name: string): string {
    return params.value.get(name) ?? '';
}

// The address of a path below the base.
export function href(to: string): string {
    return basePath + to.replace(/^\//, '');
}

// Scroll offsets by history entry, restored on back and forward.
const scrolls = new Map<string, number>();
let entry = typeof history !== 'undefined' && typeof history.state?.entry === 'string' ? history.state.entry : '0';

export function saveScroll(name: string, y: number): void {
    scrolls.set(`${entry} ${name}`, y);
}

export function savedScroll(name: string): number {
    return scrolls.get(`${entry} ${name}`) ?? 0;
}

// Called before a page is left for another, to put what is pending into its address.
const leaving = new Set<() => void>();

export function beforeLeaving(fn: () => void): void {
    leaving.add(fn);
}

export function navigate(to: string, how: { replace?: boolean } = {}): void {
    flush();
    if (!how.replace) for (const fn of leaving) fn();
    const url = href(to);
    if (how.replace) history.replaceState({ entry }, '', url);
    else {
        entry = `${Date.now()}-${Math.random()}`;
        history.pushState({ entry }, '', url);
    }
    place.value = here();
}

// Changes query keys, keeping the unknown ones. null or '' removes a key.
export function setParams(changes: Record<string, string | null>, how: { push?: boolean } = {}): void {
    const next = new URLSearchParams(place.peek().search);
    for (const [k, v] of Object.entries(changes)) {
        if (v === null || v === '') next.delete(k);
        else next.set(k, v);
    }
    const s = next.toString();
    navigate(place.peek().path + (s ? `?${s}` : ''), { replace: !how.push });
}

function ours(e: MouseEvent): HTMLAnchorElement | undefined {
    if (e.defaultPrevented || e.button !== 0 || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return undefined;
    const a = (e.target as Element | null)?.closest?.('a[href]') as HTMLAnchorElement | null;
    if (!a || a.target || a.hasAttribute('download') || a.dataset.external !== undefined) return undefined;
    const u = new URL(a.href);
    if (u.origin !== location.origin || !u.pathname.startsWith(basePath)) return undefined;
    return u.pathname === location.pathname && u.search === location.search && u.hash ? undefined : a;
}

export function startRouter(): void {
    addEventListener('popstate', e => {
        const state = e.state as { entry?: string } | null;
        entry = state?.entry ?? '0';
        place.value = here();
    });
    document.addEventListener('click', e => {
        const a = ours(e);
        if (!a) return;
        e.preventDefault();
        const u = new URL(a.href);
        navigate(u.pathname.slice(basePath.length - 1) + u.search);
    });
}

export interface AppPath {
    namespace: string;
    name: string;
}

// `/applications/{ns}/{name}` and `/applications/{name}`; the namespace is empty in the second.
export function appPath(p: string): AppPath | undefined {
    const m = /^\/applications\/([^/]+)(?:\/([^/]+))?\/?$/.exec(p);
    if (!m) return undefined;
    try {
        return m[2] === undefined
            ? { namespace: '', name: decodeURIComponent(m[1]!) }
            : { namespace: decodeURIComponent(m[1]!), name: decodeURIComponent(m[2]) };
    } catch {
        return undefined;
    }
}

export function appHref(a: AppPath): string {
    return `/applications/${encodeURIComponent(a.namespace)}/${encodeURIComponent(a.name)}`;
}
