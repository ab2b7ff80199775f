// Zooming and panning the tree with pointer, wheel and fingers.

import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { clamp } from '../../lib/treelayout';

type ZoomTo = (target: number, at?: { x: number; y: number }) => void;

export function useZoomGestures(box: RefObject<HTMLElement | null>, zoom: number, zoomTo: ZoomTo): void {
    const to = useRef(zoomTo);
    to.current = zoomTo;
    const now = useRef(zoom);
    now.current = zoom;
    useEffect(() => {
        const el = box.current!;
        const inside = (x: number, y: number) => {
            const r = el.getBoundingClientRect();
            return { x: x - r.left, y: y - r.top };
        };
        // Not passive: Ctrl and wheel (and a pinch on a touchpad) would zoom the page.
        const onWheel = (e: WheelEvent) => {
            if (!e.ctrlKey && !e.metaKey) return;
            e.preventDefault();
            to.current(now.current * Math.exp(-clamp(e.deltaY, -120, 120) / 300), inside(e.clientX, e.clientY));
        };
        let pinch: { distance: number; zoom: number } | undefined;
        const spread = (e: TouchEvent) => Math.hypot(e.touches[0]!.clientX - e.touches[1]!.clientX, e.touches[0]!.clientY - e.touches[1]!.clientY);
        const onTouch = (e: TouchEvent) => {
            if (e.touches.length !== 2) {
                pinch = undefined;
                return;
            }
            e.preventDefault();
            pinch ??= { distance: spread(e), zoom: now.current };
            const x = (e.touches[0]!.clientX + e.touches[1]!.clientX) / 2;
            const y = (e.touches[0]!.clientY + e.touches[1]!.clientY) / 2;
            to.current((pinch.zoom * spread(e)) / pinch.distance, inside(x, y));
        };
        el.addEventListener('wheel', onWheel, { passive: false });
        el.addEventListener('touchmove', onTouch, { passive: false });
        return () => {
            el.removeEventListener('wheel', onWheel);
            el.removeEventListener('touchmove', onTouch);
        };
    }, []);
}

// Drag the background to pan. Touch pans by itself.
export function startPan(el: HTMLElement, e: PointerEvent): void {
    if (e.pointerType !== 'mouse' || e.button !== 0 || (e.target as Element).closest('[role=treeitem]')) return;
    const from = { x: e.clientX, y: e.clientY, left: el.scrollLeft, top: el.scrollTop };
    const move = (m: PointerEvent) => {
        el.classList.add('panning');
        el.scrollLeft = from.left - (m.clientX - from.x);
        el.scrollTop = from.top - (m.clientY - from.y);
    };
    const up = () => {
        el.classList.remove('panning');
        removeEventListener('pointermove', move);
        removeEventListener('pointerup', up);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', up);
}
