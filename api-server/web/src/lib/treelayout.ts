// Places the cards of a tree in O(n): leaves are stacked in order, a parent stands centred before its children.
// Works in layout axes (along: depth, across: siblings) and turns them for top-to-bottom at the end.

import type { Card } from './treemodel';

export const CARD_W = 282;
export const CARD_H = 52;
const GAP_LR = { along: 56, across: 10 };
const GAP_TB = { along: 40, across: 18 };
export const DOTS_PER_ROW = 8;
const DOT = 22;
const MAX_DOT_ROWS = 8;

export interface Box {
    x: number;
    y: number;
    w: number;
    h: number;
}

export interface Layout {
    boxes: Box[];
    width: number;
    height: number;
    // Children of each card, by index.
    children: number[][];
}

// A pod card shows at most 64 dots and says how many more there are.
export function dotsShown(pods: number): number {
    return Math.min(pods, DOTS_PER_ROW * MAX_DOT_ROWS);
}

export function cardHeight(c: Card): number {
    if (c.kind !== 'pods') return CARD_H;
    return 34 + Math.ceil(dotsShown(c.members.length) / DOTS_PER_ROW) * DOT;
}

export function layout(cards: Card[], direction: 'LR' | 'TB'): Layout {
    const lr = direction === 'LR';
    const gap = lr ? GAP_LR : GAP_TB;
    const n = cards.length;
    const children: number[][] = cards.map(() => []);
    for (let i = 1; i < n; i++) children[cards[i]!.parent]!.push(i);

    const size = cards.map(c => ({ along: lr ? CARD_W : cardHeight(c), across: lr ? cardHeight(c) : CARD_W }));
    const depthSize: number[] = [];
    for (let i = 0; i < n; i++) depthSize[cards[i]!.depth] = Math.max(depthSize[cards[i]!.depth] ?? 0, size[i]!.along);
    const depthAt: number[] = [0];
    for (let d = 1; d < depthSize.length; d++) depthAt[d] = depthAt[d - 1]! + depthSize[d - 1]! + gap.along;

    const across = new Float64Array(n);
    let cursor = 0;
    for (let i = 0; i < n; i++) {
        if (children[i]!.length > 0) continue;
        across[i] = cursor;
        cursor += size[i]!.across + gap.across;
    }
    // Depth-first order: children come after their parent, so going backwards meets them first.
    for (let i = n - 1; i >= 0; i--) {
        const kids = children[i]!;
        if (kids.length === 0) continue;
        const first = kids[0]!;
        const last = kids[kids.length - 1]!;
        across[i] = (across[first]! + across[last]! + size[last]!.across - size[i]!.across) / 2;
    }

    const boxes: Box[] = cards.map((c, i) => {
        const a = depthAt[c.depth]!;
        const s = size[i]!;
        return lr ? { x: a, y: across[i]!, w: s.along, h: s.across } : { x: across[i]!, y: a, w: s.across, h: s.along };
    });
    let width = 0;
    let height = 0;
    for (const b of boxes) {
        width = Math.max(width, b.x + b.w);
        height = Math.max(height, b.y + b.h);
    }
    return { boxes, width, height, children };
}

export const clamp = (v: number, lo: number, hi: number) => Math.max(lo, Math.min(hi, v));

export function intersects(b: Box, window: Box): boolean {
    return b.x < window.x + window.w && b.x + b.w > window.x && b.y < window.y + window.h && b.y + b.h > window.y;
}

// Indexes of the cards in a window.
export function visible(l: Layout, window: Box): number[] {
    const out: number[] = [];
    for (let i = 0; i < l.boxes.length; i++) if (intersects(l.boxes[i]!, window)) out.push(i);
    return out;
}

// One path per parent whose fan touches the window: a trunk clipped to the window and a branch to each child in it.
export function edges(l: Layout, window: Box, direction: 'LR' | 'TB'): { from: number; d: string }[] {
    const out: { from: number; d: string }[] = [];
    for (let i = 0; i < l.boxes.length; i++) {
        const kids = l.children[i]!;
        if (kids.length === 0) continue;
        const d = direction === 'LR' ? fanLR(l, i, kids, window) : fanTB(l, i, kids, window);
        if (d) out.push({ from: i, d });
    }
    return out;
}

const R = 6;

function fanLR(l: Layout, i: number, kids: number[], w: Box): string {
    const p = l.boxes[i]!;
    const top = l.boxes[kids[0]!]!;
    const bottom = l.boxes[kids[kids.length - 1]!]!;
    const px = p.x + p.w;
    const py = p.y + p.h / 2;
    const y0 = Math.min(py, top.y + top.h / 2);
    const y1 = Math.max(py, bottom.y + bottom.h / 2);
    if (top.x < w.x || px > w.x + w.w || y1 < w.y || y0 > w.y + w.h) return '';
    const tx = top.x - GAP_LR.along / 2;
    let d = `M${px} ${py}H${tx}`;
    const a = Math.max(y0 + (y0 < py ? R : 0), w.y);
    const b = Math.min(y1 - (y1 > py ? R : 0), w.y + w.h);
    if (b > a) d += `M${tx} ${a}V${b}`;
    for (const k of kids) {
        const c = l.boxes[k]!;
        const cy = c.y + c.h / 2;
        if (cy < w.y || cy > w.y + w.h) continue;
        if (Math.abs(cy - py) < 1) d += `M${tx} ${cy}H${c.x}`;
        else d += `M${tx} ${cy - Math.sign(cy - py) * R}Q${tx} ${cy} ${tx + R} ${cy}H${c.x}`;
    }
    return d;
}

function fanTB(l: Layout, i: number, kids: number[], w: Box): string {
    const p = l.boxes[i]!;
    const left = l.boxes[kids[0]!]!;
    const right = l.boxes[kids[kids.length - 1]!]!;
    const px = p.x + p.w / 2;
    const py = p.y + p.h;
    const x0 = Math.min(px, left.x + left.w / 2);
    const x1 = Math.max(px, right.x + right.w / 2);
    if (left.y < w.y || py > w.y + w.h || x1 < w.x || x0 > w.x + w.w) return '';
    const ty = left.y - GAP_TB.along / 2;
    let d = `M${px} ${py}V${ty}`;
    const a = Math.max(x0 + (x0 < px ? R : 0), w.x);
    const b = Math.min(x1 - (x1 > px ? R : 0), w.x + w.w);
    if (b > a) d += `M${a} ${ty}H${b}`;
    for (const k of kids) {
        const c = l.boxes[k]!;
        const cx = c.x + c.w / 2;
        if (cx < w.x || cx > w.x + w.w) continue;
        if (Math.abs(cx - px) < 1) d += `M${cx} ${ty}V${c.y}`;
        else d += `M${cx - Math.sign(cx - px) * R} ${ty}Q${cx} ${ty} ${cx} ${ty + R}V${c.y}`;
    }
    return d;
}
