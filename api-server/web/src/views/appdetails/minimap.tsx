// The tree as coloured boxes on a canvas: the overview below 60 % zoom, and the minimap.

import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Layout } from '../../lib/treelayout';
import type { Card } from '../../lib/treemodel';
import { prefs } from '../../store/prefs';
import { healthLook } from '../../widgets/status';

const W = 190;
const H = 130;

function tones(): Record<string, string> {
    const style = getComputedStyle(document.documentElement);
    const out: Record<string, string> = {};
    for (const t of ['ok', 'warn', 'missing', 'bad', 'info', 'paused', 'unknown', 'line', 'surface', 'hair', 'text']) out[t] = style.getPropertyValue(`--${t}`).trim();
    return out;
}

function toneOf(c: Card, t: Record<string, string>): string {
    if (c.kind === 'app') return t.info!;
    const health = c.item?.health ?? (c.members.some(m => m.health === 'Degraded') ? 'Degraded' : c.members[0]?.health);
    if (c.kind === 'stub') return t.hair!;
    return health ? t[healthLook(health).tone.slice(2)]! : t.line!;
}

function context(c: HTMLCanvasElement, w: number, h: number): CanvasRenderingContext2D | null {
    const ratio = devicePixelRatio || 1;
    if (c.width !== Math.round(w * ratio) || c.height !== Math.round(h * ratio)) {
        c.width = Math.round(w * ratio);
        c.height = Math.round(h * ratio);
    }
    const g = c.getContext('2d');
    g?.setTransform(ratio, 0, 0, ratio, 0, 0);
    g?.clearRect(0, 0, w, h);
    return g;
}

function label(c: Card): string {
    if (c.item) return c.item.node.name;
    if (c.kind === 'app') return 'application';
    return c.kind === 'stub' ? `${c.hidden} hidden` : `${c.members.length} × ${c.members[0]?.node.kind ?? ''}`;
}

interface View {
    zoom: number;
    // Screen position of the layout's origin.
    x: number;
    y: number;
    w: number;
    h: number;
}

export function paint(canvas: HTMLCanvasElement, cards: Card[], l: Layout, v: View, focus: string): void {
    const g = context(canvas, v.w, v.h);
    if (!g) return;
    const t = tones();
    for (let i = 0; i < cards.length; i++) {
        const b = l.boxes[i]!;
        const x = v.x + b.x * v.zoom;
        const y = v.y + b.y * v.zoom;
        const w = Math.max(2, b.w * v.zoom);
        const h = Math.max(2, b.h * v.zoom);
        if (x > v.w || y > v.h || x + w < 0 || y + h < 0) continue;
        g.fillStyle = t.surface!;
        g.strokeStyle = cards[i]!.id === focus ? t.info! : t.line!;
        g.lineWidth = cards[i]!.id === focus ? 2 : 0.5;
        g.fillRect(x, y, w, h);
        g.strokeRect(x, y, w, h);
        g.fillStyle = toneOf(cards[i]!, t);
        g.fillRect(x, y, Math.max(2, w * 0.16), h);
        if (v.zoom > 0.32) {
            g.fillStyle = t.text!;
            g.font = `${Math.max(8, 13 * v.zoom)}px system-ui, sans-serif`;
            g.textBaseline = 'middle';
            g.save();
            g.beginPath();
            g.rect(x, y, w - 3, h);
            g.clip();
            g.fillText(label(cards[i]!), x + w * 0.16 + 4, y + h / 2);
            g.restore();
        }
    }
}

interface Props {
    cards: Card[];
    layout: Layout;
    scroller: RefObject<HTMLDivElement | null>;
    zoom: number;
    origin: { x: number; y: number };
    listeners: Set<() => void>;
}

export function Minimap({ cards, layout: l, scroller, zoom, origin, listeners }: Props) {
    const canvas = useRef<HTMLCanvasElement>(null);
    const scale = Math.min(W / Math.max(1, l.width), H / Math.max(1, l.height));
    // A long thin tree would vanish: each axis fills its side.
    const sx = Math.max(scale, Math.min(W / Math.max(1, l.width), 0.12));
    const sy = Math.max(scale, H / Math.max(1, l.height));
    void prefs.value.theme;

    useEffect(() => {
        const draw = () => {
            const el = scroller.current;
            const g = canvas.current && context(canvas.current, W, H);
            if (!g || !el) return;
            const t = tones();
            // Trouble last and never thinner than two pixels: it is what one looks for here.
            for (const trouble of [false, true]) {
                for (let i = 0; i < cards.length; i++) {
                    const tone = toneOf(cards[i]!, t);
                    if ((tone === t.bad || tone === t.missing) !== trouble) continue;
                    const b = l.boxes[i]!;
                    g.fillStyle = tone;
                    g.fillRect(b.x * sx, b.y * sy, Math.max(2, b.w * sx - 1), Math.max(trouble ? 2 : 0.7, b.h * sy - 0.4));
                }
            }
            g.strokeStyle = t.info!;
            g.lineWidth = 1.5;
            g.strokeRect(((el.scrollLeft - origin.x) / zoom) * sx, ((el.scrollTop - origin.y) / zoom) * sy, Math.max(4, (el.clientWidth / zoom) * sx), Math.max(4, (el.clientHeight / zoom) * sy));
        };
        draw();
        listeners.add(draw);
        return () => {
            listeners.delete(draw);
        };
    });

    const jump = (e: PointerEvent) => {
        const el = scroller.current;
        const r = canvas.current!.getBoundingClientRect();
        if (!el) return;
        el.scrollLeft = ((e.clientX - r.left) / sx) * zoom + origin.x - el.clientWidth / 2;
        el.scrollTop = ((e.clientY - r.top) / sy) * zoom + origin.y - el.clientHeight / 2;
    };
    return (
        <canvas
            class="minimap"
            ref={canvas}
            aria-hidden="true"
            data-testid="minimap"
            onPointerDown={e => {
                e.currentTarget.setPointerCapture(e.pointerId);
                jump(e);
            }}
            onPointerMove={e => e.buttons === 1 && jump(e)}
        />
    );
}
