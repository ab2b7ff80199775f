// The window onto the tree: scrolling is the browser's own, zoom scales one layer. Only cards in the window plus a margin
// are drawn, and the window moves in steps, so that most scroll events draw nothing. Below 60 % the cards give way to one
// canvas of coloured boxes. When the tree changes, the focused (or first visible) card stays where it is on the screen.

import type { RefObject } from 'preact';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { clamp, edges, intersects, visible, type Box, type Layout } from '../../lib/treelayout';
import { stepOf, target } from '../../lib/treekeys';
import type { Card } from '../../lib/treemodel';
import { Button, Menu } from '../../widgets/controls';
import { overlayOpen } from '../../widgets/overlay';
import type { AppContext } from './context';
import { CardView, cardMenu } from './card';
import { startPan, useZoomGestures } from './gestures';
import { Minimap, paint } from './minimap';

const PAD = 36;
const MARGIN = 0.25;
const FREE = 0.9;
const STEP = 0.2;
const CANVAS_BELOW = 0.6;
// A tree that would be smaller than this is not shown whole at first.
const READABLE = 0.75;
const MIN_ZOOM = 0.1;
const MAX_ZOOM = 2;
const MINIMAP_ABOVE = 150;

export interface ViewportHandle {
    zoomBy(factor: number): void;
    fit(): void;
}

interface Props {
    ctx: AppContext;
    cards: Card[];
    layout: Layout;
    direction: 'LR' | 'TB';
    focus: string;
    setFocus: (id: string) => void;
    fold: (c: Card) => void;
    activate: (c: Card) => void;
    handle: RefObject<ViewportHandle | null>;
}

interface Frame {
    // Scroll offset, rounded down to steps, and the size of the scroller, in screen pixels.
    left: number;
    top: number;
    w: number;
    h: number;
}

// Where the layout's origin stands in the scrolled content: most of a window of free space lies around the tree, so that
// any card can be held in its place and any point can be zoomed at.
function originOf(f: { w: number; h: number }): { x: number; y: number } {
    return { x: Math.round(f.w * FREE), y: Math.round(f.h * FREE) };
}

function fitZoom(l: Layout, f: { w: number; h: number }): number {
    return Math.min((f.w - 2 * PAD) / Math.max(1, l.width), (f.h - 2 * PAD) / Math.max(1, l.height));
}

export function Viewport(p: Props) {
    const box = useRef<HTMLDivElement>(null);
    const canvas = useRef<HTMLCanvasElement>(null);
    const [frame, setFrame] = useState<Frame>({ left: 0, top: 0, w: 0, h: 0 });
    const [zoom, setZoom] = useState(1);
    const [menu, setMenu] = useState<{ card: Card; at: DOMRect }>();
    // Where to scroll once the content has been drawn at that zoom.
    const pending = useRef<{ left: number; top: number; zoom: number } | undefined>(undefined);
    const placed = useRef(false);
    const before = useRef<{ cards: Card[]; layout: Layout; origin: { x: number; y: number }; zoom: number } | undefined>(undefined);
    // Where the view is scrolled to: exact, where the element keeps whole pixels, and from before the browser clamps it
    // because the content has shrunk.
    const scroll = useRef({ left: 0, top: 0 });
    const wantFocus = useRef(false);
    // The focused card now: keys may come faster than the page is drawn.
    const at = useRef(p.focus);
    at.current = p.focus;
    const { layout: lay, cards, direction } = p;
    const origin = originOf(frame);
    const overview = zoom < CANVAS_BELOW;

    const look = () => {
        const el = box.current;
        // The size may be told after the view has gone.
        if (!el) return;
        const sx = Math.max(40, el.clientWidth * STEP);
        const sy = Math.max(40, el.clientHeight * STEP);
        const next = { left: Math.floor(el.scrollLeft / sx) * sx, top: Math.floor(el.scrollTop / sy) * sy, w: el.clientWidth, h: el.clientHeight };
        setFrame(f => (f.left === next.left && f.top === next.top && f.w === next.w && f.h === next.h ? f : next));
    };

    useLayoutEffect(() => {
        const el = box.current!;
        look();
        const watch = new ResizeObserver(look);
        watch.observe(el);
        return () => watch.disconnect();
    }, []);

    // The whole tree in the middle (its root at the near edge) if it fits at this zoom, else the root.
    const place = (z: number) => {
        const root = lay.boxes[0]!;
        const centred = (size: number, space: number, at: number) => (size * z <= space - 2 * PAD ? (size * z - space) / 2 : at * z - space / 2);
        const x = direction === 'LR' ? -PAD : centred(lay.width, frame.w, root.x + root.w / 2);
        const y = direction === 'LR' ? centred(lay.height, frame.h, root.y + root.h / 2) : -PAD;
        pending.current = { left: origin.x + x, top: origin.y + y, zoom: z };
        setZoom(z);
        apply();
    };

    // The first placement: the whole tree if it is readable then, else the root at full size.
    useLayoutEffect(() => {
        if (placed.current || frame.w === 0 || frame.h === 0) return;
        placed.current = true;
        // There is no place to keep yet.
        before.current = undefined;
        const whole = fitZoom(lay, frame);
        place(whole < READABLE ? 1 : Math.min(1, whole));
    }, [frame.w, frame.h]);

    const apply = () => {
        const to = pending.current;
        if (!to || to.zoom !== zoom) return;
        pending.current = undefined;
        scrollTo(to.left, to.top);
    };

    // Keeps a card in its place on the screen when the tree around it changes.
    useLayoutEffect(() => {
        const old = before.current;
        before.current = { cards, layout: lay, origin, zoom };
        const moved = old && (old.layout !== lay || old.origin.x !== origin.x || old.origin.y !== origin.y);
        if (old && moved && placed.current && !pending.current) keepPlace(old);
        apply();
        if (overview) repaint();
    });

    const settle = () => {
        const el = box.current!;
        const { left, top } = scroll.current;
        if (Math.abs(left - el.scrollLeft) >= 1 || Math.abs(top - el.scrollTop) >= 1) scroll.current = { left: el.scrollLeft, top: el.scrollTop };
    };
    const scrollTo = (left: number, top: number) => {
        const el = box.current!;
        scroll.current = { left, top };
        el.scrollLeft = left;
        el.scrollTop = top;
        settle();
        look();
    };

    const keepPlace = (old: NonNullable<typeof before.current>) => {
        const { left, top } = scroll.current;
        const shown: Box = { x: (left - old.origin.x) / old.zoom, y: (top - old.origin.y) / old.zoom, w: frame.w / old.zoom, h: frame.h / old.zoom };
        const now = new Map(cards.map((c, i) => [c.id, i]));
        const candidates = old.cards.map((c, i) => ({ id: c.id, i })).filter(c => now.has(c.id) && intersects(old.layout.boxes[c.i]!, shown));
        const anchor = candidates.find(c => c.id === p.focus) ?? candidates[0];
        // Nothing of what was seen is left.
        if (!anchor) return place(zoom);
        const a = old.layout.boxes[anchor.i]!;
        const b = lay.boxes[now.get(anchor.id)!]!;
        const dx = origin.x + b.x * zoom - (old.origin.x + a.x * old.zoom);
        const dy = origin.y + b.y * zoom - (old.origin.y + a.y * old.zoom);
        scrollTo(left + dx, top + dy);
    };

    const zoomTo = (target: number, at?: { x: number; y: number }) => {
        const el = box.current!;
        const z = clamp(target, MIN_ZOOM, MAX_ZOOM);
        const px = at?.x ?? el.clientWidth / 2;
        const py = at?.y ?? el.clientHeight / 2;
        const lx = (scroll.current.left + px - origin.x) / zoom;
        const ly = (scroll.current.top + py - origin.y) / zoom;
        pending.current = { left: origin.x + lx * z - px, top: origin.y + ly * z - py, zoom: z };
        setZoom(z);
        // At a limit nothing is drawn anew.
        apply();
    };
    p.handle.current = { zoomBy: f => zoomTo(zoom * f), fit: () => place(clamp(Math.min(1, fitZoom(lay, frame)), MIN_ZOOM, 1)) };
    useZoomGestures(box, zoom, zoomTo);

    const repaint = () => {
        const el = box.current;
        const c = canvas.current;
        if (el && c) paint(c, cards, lay, { zoom, x: origin.x - el.scrollLeft, y: origin.y - el.scrollTop, w: el.clientWidth, h: el.clientHeight }, p.focus);
    };
    const onScroll = () => {
        if (!box.current) return;
        settle();
        look();
        if (overview) repaint();
        listeners.current.forEach(fn => fn());
    };
    const listeners = useRef(new Set<() => void>());

    const cardAt = (x: number, y: number): Card | undefined => {
        const el = box.current!;
        const r = el.getBoundingClientRect();
        const lx = (x - r.left + el.scrollLeft - origin.x) / zoom;
        const ly = (y - r.top + el.scrollTop - origin.y) / zoom;
        const i = lay.boxes.findIndex(b => lx >= b.x && lx <= b.x + b.w && ly >= b.y && ly <= b.y + b.h);
        return cards[i];
    };

    const reveal = (i: number) => {
        const el = box.current!;
        const b = lay.boxes[i]!;
        const into = (from: number, size: number, now: number, space: number) =>
            from < now + 8 ? from - 24 : from + size > now + space - 8 ? from + size - space + 24 : now;
        scrollTo(
            into(origin.x + b.x * zoom, b.w * zoom, scroll.current.left, el.clientWidth),
            into(origin.y + b.y * zoom, b.h * zoom, scroll.current.top, el.clientHeight),
        );
    };
    const go = (i: number | undefined) => {
        if (i === undefined) return;
        reveal(i);
        wantFocus.current = true;
        at.current = cards[i]!.id;
        p.setFocus(at.current);
    };
    useEffect(() => {
        if (!wantFocus.current) return;
        const el = box.current!.querySelector<HTMLElement>('[role=treeitem][tabindex="0"]');
        if (el) {
            wantFocus.current = false;
            el.focus({ preventScroll: true });
        }
    });

    const onKey = (e: KeyboardEvent) => {
        if (e.ctrlKey || e.metaKey || e.altKey || overlayOpen() || (e.target as Element).closest('button')) return;
        const i = Math.max(0, cards.findIndex(c => c.id === at.current));
        const step = stepOf(e.key, direction);
        const card = cards[i]!;
        if (step === 'activate') p.activate(card);
        else if (step === 'deeper' && (card.folded || card.kind === 'group' || card.kind === 'pods')) p.fold(card);
        else if (step) go(target(step, i, cards, lay));
        else return;
        e.preventDefault();
    };

    const window_: Box = {
        x: (frame.left - frame.w * MARGIN - origin.x) / zoom,
        y: (frame.top - frame.h * MARGIN - origin.y) / zoom,
        w: (frame.w * (1 + 2 * MARGIN + STEP)) / zoom,
        h: (frame.h * (1 + 2 * MARGIN + STEP)) / zoom,
    };
    const shown = useMemo(() => (overview || frame.h === 0 ? [] : visible(lay, window_)), [lay, overview, zoom, frame]);
    const lines = useMemo(() => (overview || frame.h === 0 ? [] : edges(lay, window_, direction)), [lay, overview, zoom, frame]);
    const extra = useMemo(() => crossEdges(cards, lay), [lay]);
    const onMore = (card: Card, at: DOMRect) => setMenu({ card, at });
    const focusIndex = cards.findIndex(c => c.id === p.focus);

    return (
        <div class="tree-view">
            <div
                class="tree-scroll"
                ref={box}
                onScroll={onScroll}
                onPointerDown={e => startPan(box.current!, e)}
                onKeyDown={onKey}
                onClick={e => {
                    const card = overview ? cardAt(e.clientX, e.clientY) : undefined;
                    if (card) p.activate(card);
                }}
                role="tree"
                aria-label={`Resources of ${p.ctx.ref.name}`}
                tabIndex={overview || !shown.includes(focusIndex) ? 0 : -1}
                data-testid="tree"
                data-zoom={zoom.toFixed(2)}
            >
                <div class="tree-content" role="presentation" style={{ width: `${lay.width * zoom + 2 * origin.x}px`, height: `${lay.height * zoom + 2 * origin.y}px` }}>
                    <div class="tree-layer" role="presentation" style={{ transform: `translate(${origin.x}px, ${origin.y}px) scale(${zoom})` }}>
                        {!overview && frame.h > 0 && (
                            <svg class="edges" aria-hidden="true" style={{ left: `${window_.x}px`, top: `${window_.y}px` }} width={window_.w} height={window_.h} viewBox={`${window_.x} ${window_.y} ${window_.w} ${window_.h}`}>
                                {lines.map(l => (
                                    <path key={l.from} d={l.d} />
                                ))}
                                {extra.map(d => (
                                    <path key={d} d={d} class="cross" />
                                ))}
                            </svg>
                        )}
                        {shown.map(i => (
                            <CardView
                                key={cards[i]!.id}
                                ctx={p.ctx}
                                card={cards[i]!}
                                box={lay.boxes[i]!}
                                direction={direction}
                                focused={cards[i]!.id === p.focus}
                                onFocus={p.setFocus}
                                onFold={p.fold}
                                onOpen={p.activate}
                                onMore={onMore}
                            />
                        ))}
                    </div>
                </div>
            </div>
            {overview && <canvas class="tree-canvas" ref={canvas} aria-hidden="true" />}
            <div class="zoomer" role="group" aria-label="Zoom">
                <Button tiny kind="quiet" bare icon="minus" label="Zoom out" onClick={() => zoomTo(zoom * 0.8)} testid="zoom-out" />
                <button type="button" class="btn quiet tiny percent" title="100 %" onClick={() => zoomTo(1)}>
                    {Math.round(zoom * 100)} %
                </button>
                <Button tiny kind="quiet" bare icon="plus" label="Zoom in" onClick={() => zoomTo(zoom * 1.25)} testid="zoom-in" />
                <Button tiny kind="quiet" bare icon="fit" label="Fit" onClick={() => p.handle.current?.fit()} testid="zoom-fit" />
            </div>
            {cards.length > MINIMAP_ABOVE && <Minimap cards={cards} layout={lay} scroller={box} zoom={zoom} origin={origin} listeners={listeners.current} />}
            {menu && <Menu label="Actions" entries={cardMenu(p.ctx, menu.card, p.fold)} at={menu.at} close={() => setMenu(undefined)} />}
        </div>
    );
}

// A resource with several owners stands under the first; thin lines lead to the others.
function crossEdges(cards: Card[], l: Layout): string[] {
    const at = new Map<string, number>();
    cards.forEach((c, i) => c.item && at.set(c.item.id, i));
    const out: string[] = [];
    cards.forEach((c, i) => {
        for (const other of c.item?.others ?? []) {
            const from = at.get(other.id);
            if (from === undefined || from === c.parent) continue;
            const a = l.boxes[from]!;
            const b = l.boxes[i]!;
            const x0 = a.x + a.w;
            const y0 = a.y + a.h / 2;
            const y1 = b.y + b.h / 2;
            out.push(`M${x0} ${y0}C${x0 + 60} ${y0} ${b.x - 60} ${y1} ${b.x} ${y1}`);
        }
    });
    return out;
}
