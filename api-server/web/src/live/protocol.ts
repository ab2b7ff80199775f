// The messages of `argocd-live.v1` and how they are decoded. What the specification leaves open is fixed here:
//
//  - A row is `[key, cell, cell, …]`: the key is the first cell and is not named in `cols`.
//  - A column whose name in `cols` ends in `#` carries indexes into the message's `dict`; the name without `#` is the
//    column. Other cells are the values themselves. `dict` holds for one message. `null` clears a
//    column; nulls at the end of a row may be left out.
//  - Every `sub` is answered by at least one `snap` (or `err`). With `reset:true` the rows replace what the client has
//    for this subscription once `more:false` arrives; with `reset:false` (an accepted `since`) they are merged into it,
//    and `del` in a snap lists the tombstones since then.
//  - `seq` starts at 0 with each `sub` and rises by one per message of that subscription.
//
// All of it is checked against test/schema/live.schema.json.

export type Cell = unknown;
export type Columns = Record<string, Cell>;

export interface Hello {
    ev: 'hello';
    proto: number;
    epoch: string;
    pe: number;
    build?: string;
    user?: string;
    exp?: number;
    hb?: number;
    limits?: { subs?: number; logs?: number };
}

export interface Snap {
    ev: 'snap';
    id: number;
    seq: number;
    rev: number;
    reset?: boolean;
    cols?: string[];
    dict?: Cell[];
    rows?: Cell[][];
    del?: string[];
    more?: boolean;
    total?: number;
}

export interface Delta {
    ev: 'delta';
    id: number;
    seq: number;
    rev: number;
    set?: [string, Columns][];
    del?: string[];
}

export interface LiveError {
    ev: 'err';
    id: number;
    code: string;
    http: number;
    message: string;
    retry?: boolean;
}

export type ServerMessage =
    | Hello
    | Snap
    | Delta
    | LiveError
    | { ev: 'auth'; in: number }
    | { ev: 'pong'; t?: number }
    | { ev: 'notice'; kind: string }
    | { ev: 'end'; id: number; why: string };

export interface Since {
    epoch: string;
    pe: number;
    rev: number;
}

export type ClientMessage =
    | { op: 'sub'; id: number; topic: string; args: Record<string, unknown>; since?: Since }
    | { op: 'unsub'; id: number }
    | { op: 'pause' }
    | { op: 'resume' }
    | { op: 'ping'; t: number };

export const CLOSE = {
    goingAway: 1001,
    expired: 4401,
    disabled: 4403,
    slow: 4408,
    protocol: 4409,
    tooOld: 4426,
    tooMany: 4429,
} as const;

// Decodes one message; undefined for what is not an object with a known shape (unknown events are ignored by contract).
export function parseMessage(text: string): ServerMessage | undefined {
    let v: unknown;
    try {
        v = JSON.parse(text);
    } catch {
        return undefined;
    }
    if (typeof v !== 'object' || v === null) return undefined;
    const m = v as Record<string, unknown>;
    switch (m.ev) {
        case 'hello':
            return typeof m.epoch === 'string' ? (m as unknown as Hello) : undefined;
        case 'snap':
        case 'delta':
            return typeof m.id === 'number' && typeof m.seq === 'number' && typeof m.rev === 'number'
                ? (m as unknown as Snap | Delta)
                : undefined;
        case 'err':
        case 'end':
            return typeof m.id === 'number' ? (m as unknown as LiveError) : undefined;
        case 'auth':
        case 'pong':
        case 'notice':
            return m as unknown as ServerMessage;
        default:
            return undefined;
    }
}

// The rows of a snapshot as [key, columns].
export function snapRows(m: Snap): [string, Columns][] {
    const cols = (m.cols ?? []).map(c => (c.endsWith('#') ? { name: c.slice(0, -1), coded: true } : { name: c, coded: false }));
    const dict = m.dict ?? [];
    const out: [string, Columns][] = [];
    for (const row of m.rows ?? []) {
        const key = row[0];
        if (typeof key !== 'string') continue;
        const rec: Columns = {};
        for (let i = 0; i < cols.length; i++) {
            const cell = row[i + 1];
            if (cell === null || cell === undefined) continue;
            rec[cols[i]!.name] = cols[i]!.coded ? dict[cell as number] : cell;
        }
        out.push([key, rec]);
    }
    return out;
}
