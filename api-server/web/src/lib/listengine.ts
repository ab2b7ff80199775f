// Filters, facet counts and sorting of a list, incrementally.
//
// For each row one bit mask says which facets it fails (SEARCH is one of them). A row is shown if the mask is 0; it is
// counted in facet f if no other bit than f is set, so that the counts of a facet ignore the facet itself. A changed row
// retracts its old contribution and adds its new one; only a changed query looks at every row again. The sort order of
// all rows is kept, so that a keystroke filters an ordered array and sorts nothing.

import { compare, globToRegExp, isGlob, naturalKey } from './text';
import { parseRequirement } from './selector';

export interface Facet<T> {
    id: string;
    title: string;
    // The values of a row; a row is counted under each.
    values(row: T): string[];
    // How a filter value is compared: whole text, glob, or label selector over `labels`.
    match: 'exact' | 'glob' | 'selector';
    labels?(row: T): Record<string, string>;
    // Fixed order of the values in the filter panel; else by count.
    order?: string[];
}

export interface SortKey<T> {
    id: string;
    title: string;
    of(row: T): string | number;
}

export interface Query {
    search: string;
    regex: boolean;
    // Facet id → values, `!value` excludes.
    facets: Record<string, string[]>;
    sort: string;
    descending: boolean;
}

export const EMPTY_QUERY: Query = { search: '', regex: false, facets: {}, sort: 'name', descending: false };


interface Entry<T> {
    key: string;
    row: T;
    text: string;
    values: string[][];
    sortKey: string | number;
    nameKey: string;
    mask: number;
}

type Test<T> = (e: Entry<T>) => boolean;

export interface Spec<T> {
    facets: Facet<T>[];
    sorts: SortKey<T>[];
    // Lower-cased text that the search looks in.
    text(row: T): string;
    name(row: T): string;
}

export class ListEngine<T> {
    searchError = '';
    private readonly entries = new Map<string, Entry<T>>();
    private readonly counts: Map<string, number>[];
    private order: Entry<T>[] = [];
    private unsorted = true;
    private tests: (Test<T> | undefined)[];
    private search: Test<T> | undefined;
    private query: Query = EMPTY_QUERY;
    private readonly searchBit: number;

    constructor(private readonly spec: Spec<T>) {
        this.counts = spec.facets.map(() => new Map());
        this.tests = spec.facets.map(() => undefined);
        this.searchBit = 1 << spec.facets.length;
    }

    get total(): number {
        return this.entries.size;
    }

    upsert(key: string, row: T): void {
        const old = this.entries.get(key);
        const e: Entry<T> = {
            key,
            row,
            text: this.spec.text(row),
            values: this.spec.facets.map(f => f.values(row)),
            sortKey: this.sortKeyOf(row),
            nameKey: naturalKey(this.spec.name(row)),
            mask: 0,
        };
        e.mask = this.maskOf(e);
        if (old) {
            this.count(old, -1);
            const moved = old.sortKey !== e.sortKey || old.nameKey !== e.nameKey;
            Object.assign(old, e);
            if (moved) this.unsorted = true;
        } else {
            this.entries.set(key, e);
            this.order.push(e);
            this.unsorted = true;
        }
        this.count(e, 1);
    }


    removeAll(keys: string[]): void {
        const gone = new Set(keys);
        for (const k of keys) {
            const e = this.entries.get(k);
            if (!e) continue;
            this.count(e, -1);
            this.entries.delete(k);
        }
        this.order = this.order.filter(e => !gone.has(e.key));
    }

    setQuery(q: Query): void {
        const old = this.query;
        this.query = q;
        this.compileSearch(q);
        this.tests = this.spec.facets.map(f => this.compileFacet(f, q.facets[f.id] ?? []));
        for (const c of this.counts) c.clear();
        for (const e of this.order) {
            e.mask = this.maskOf(e);
            this.count(e, 1);
        }
        if (q.sort !== old.sort) for (const e of this.order) e.sortKey = this.sortKeyOf(e.row);
        if (q.sort !== old.sort || q.descending !== old.descending) this.unsorted = true;
    }

    // Keys of the rows that match, in order.
    keys(): string[] {
        if (this.unsorted) this.sort();
        const out: string[] = [];
        for (const e of this.order) if (e.mask === 0) out.push(e.key);
        return out;
    }

    countsOf(facet: string): ReadonlyMap<string, number> {
        const i = this.spec.facets.findIndex(f => f.id === facet);
        return this.counts[i] ?? new Map<string, number>();
    }

    private sort(): void {
        const sign = this.query.descending ? -1 : 1;
        this.order.sort((a, b) => {
            const x = a.sortKey;
            const y = b.sortKey;
            if (x !== y) return (x < y ? -1 : 1) * sign;
            return compare(a.nameKey, b.nameKey) || compare(a.key, b.key);
        });
        this.unsorted = false;
    }

    private sortKeyOf(row: T): string | number {
        const s = this.spec.sorts.find(x => x.id === this.query.sort) ?? this.spec.sorts[0]!;
        const v = s.of(row);
        return typeof v === 'string' ? naturalKey(v) : v;
    }

    private maskOf(e: Entry<T>): number {
        let mask = this.search && !this.search(e) ? this.searchBit : 0;
        for (let i = 0; i < this.tests.length; i++) {
            const t = this.tests[i];
            if (t && !t(e)) mask |= 1 << i;
        }
        return mask;
    }

    private count(e: Entry<T>, n: number): void {
        for (let i = 0; i < this.counts.length; i++) {
            if ((e.mask & ~(1 << i)) !== 0) continue;
            const c = this.counts[i]!;
            for (const v of e.values[i]!) {
                const left = (c.get(v) ?? 0) + n;
                if (left > 0) c.set(v, left);
                else c.delete(v);
            }
        }
    }

    private compileSearch(q: Query): void {
        this.searchError = '';
        this.search = undefined;
        if (q.search === '') return;
        if (!q.regex) {
            const needle = q.search.toLowerCase();
            this.search = e => e.text.includes(needle);
            return;
        }
        try {
            const re = new RegExp(q.search, 'i');
            this.search = e => re.test(e.text);
        } catch (err) {
            this.searchError = err instanceof Error ? err.message : String(err);
            this.search = () => false;
        }
    }

    private compileFacet(f: Facet<T>, wanted: string[]): Test<T> | undefined {
        if (wanted.length === 0) return undefined;
        const i = this.spec.facets.indexOf(f);
        if (f.match === 'selector') {
            const all = wanted.map(w => parseRequirement(w) ?? (() => false));
            return e => all.every(r => r(f.labels!(e.row)));
        }
        const yes = wanted.filter(w => !w.startsWith('!')).map(w => matcher(w, f.match));
        const no = wanted.filter(w => w.startsWith('!')).map(w => matcher(w.slice(1), f.match));
        return e => {
            const values = e.values[i]!;
            if (no.some(m => values.some(m))) return false;
            return yes.length === 0 || yes.some(m => values.some(m));
        };
    }
}

function matcher(wanted: string, how: 'exact' | 'glob' | 'selector'): (v: string) => boolean {
    if (how === 'glob' && isGlob(wanted)) {
        const re = globToRegExp(wanted);
        return v => re.test(v);
    }
    return v => v === wanted;
}

// Which part of a text the search found, for highlighting; undefined when there is none.
export function foundAt(text: string, search: string, regex: boolean): [number, number] | undefined {
    if (search === '') return undefined;
    if (!regex) {
        const i = text.toLowerCase().indexOf(search.toLowerCase());
        return i < 0 ? undefined : [i, i + search.length];
    }
    try {
        const m = new RegExp(search, 'i').exec(text);
        return m && m[0] !== '' ? [m.index, m.index + m[0].length] : undefined;
    } catch {
        return undefined;
    }
}
