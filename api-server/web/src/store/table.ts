// A table of records: key → signal of the record. A view that shows one row subscribes to that row's signal only; lists
// listen to the changes of a transaction. Tables are filled by a live subscription (as its Sink) or by the fallback.

import { signal, type Signal } from '@preact/signals';
import type { Sink } from '../live/contract';
import type { Columns } from '../live/protocol';

export interface Changes {
    set: string[];
    del: string[];
}

export interface LoadError {
    code: string;
    http: number;
    message: string;
}

export class Table<T extends object> implements Sink {
    // Rises with every change of any record.
    readonly version = signal(0);
    // A whole snapshot has been applied at least once.
    readonly ready = signal(false);
    readonly error = signal<LoadError | undefined>(undefined);

    private readonly records = new Map<string, Signal<T>>();
    private readonly listeners = new Set<(c: Changes) => void>();
    private incoming: Map<string, T> | undefined;

    // `defaults` fills the columns that a row does not have.
    constructor(
        private readonly defaults: T,
        private readonly defer: (work: () => void) => void = work => work(),
    ) {}

    get size(): number {
        return this.records.size;
    }

    get(key: string): T | undefined {
        return this.records.get(key)?.peek();
    }

    row(key: string): Signal<T> | undefined {
        return this.records.get(key);
    }

    keys(): IterableIterator<string> {
        return this.records.keys();
    }

    *values(): IterableIterator<T> {
        for (const s of this.records.values()) yield s.peek();
    }

    *entries(): IterableIterator<[string, T]> {
        for (const [k, s] of this.records) yield [k, s.peek()];
    }

    onChange(fn: (c: Changes) => void): () => void {
        this.listeners.add(fn);
        return () => this.listeners.delete(fn);
    }

    snap(part: { reset: boolean; first: boolean; done: boolean; set: [string, Columns][]; del: string[] }): void {
        this.defer(() => this.applySnap(part));
    }

    delta(set: [string, Columns][], del: string[]): void {
        this.defer(() => this.applyDelta(set, del));
    }

    // The subscription ended. What may no longer be seen is not shown.
    onError(e: LoadError): void {
        this.defer(() => {
            this.error.value = e;
            this.incoming = undefined;
            if (e.http === 403 || e.http === 404) this.swap(new Map());
        });
    }

    private applySnap(part: { reset: boolean; first: boolean; done: boolean; set: [string, Columns][]; del: string[] }): void {
        this.error.value = undefined;
        if (!part.reset) {
            this.applyDelta(part.set, part.del);
        } else {
            if (part.first) this.incoming = new Map();
            const incoming = (this.incoming ??= new Map());
            for (const [k, cols] of part.set) incoming.set(k, this.merge(undefined, cols));
            // The first snapshot shows as it comes; a later one replaces what is shown in one step.
            if (!this.ready.peek() && !part.done) this.applyDelta(part.set, []);
            if (part.done) this.swap(incoming);
        }
        if (part.done) {
            this.incoming = undefined;
            this.ready.value = true;
        }
    }

    private swap(next: Map<string, T>): void {
        const del: string[] = [];
        const set: string[] = [];
        for (const k of this.records.keys()) if (!next.has(k)) del.push(k);
        for (const k of del) this.records.delete(k);
        for (const [k, row] of next) if (this.put(k, row)) set.push(k);
        this.announce({ set, del });
    }

    private applyDelta(setRows: [string, Columns][], delKeys: string[]): void {
        const del = delKeys.filter(k => this.records.delete(k));
        const set: string[] = [];
        for (const [k, cols] of setRows) if (this.put(k, this.merge(this.get(k), cols))) set.push(k);
        this.announce({ set, del });
    }

    private put(key: string, row: T): boolean {
        const s = this.records.get(key);
        if (!s) {
            this.records.set(key, signal(row));
            return true;
        }
        if (same(s.peek(), row)) return false;
        s.value = row;
        return true;
    }

    private merge(old: T | undefined, cols: Columns): T {
        const row: Record<string, unknown> = { ...((old ?? this.defaults) as Record<string, unknown>) };
        for (const c of Object.keys(cols)) {
            const v = cols[c];
            row[c] = v === null || v === undefined ? (this.defaults as Record<string, unknown>)[c] : v;
        }
        return row as T;
    }

    private announce(c: Changes): void {
        if (c.set.length === 0 && c.del.length === 0) return;
        this.version.value++;
        for (const fn of this.listeners) fn(c);
    }
}

// Equal JSON values.
export function sameValue(a: unknown, b: unknown): boolean {
    if (a === b) return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
    if (Array.isArray(a) || Array.isArray(b)) {
        if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
        return a.every((v, i) => sameValue(v, b[i]));
    }
    return same(a, b);
}

function same(a: object, b: object): boolean {
    const x = a as Record<string, unknown>;
    const y = b as Record<string, unknown>;
    const keys = Object.keys(x);
    if (keys.length !== Object.keys(y).length) return false;
    return keys.every(k => k in y && sameValue(x[k], y[k]));
}
