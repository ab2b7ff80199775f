// Sheets and dialogs. The focus stays inside while they are open and goes back where it came from; Escape closes the
// topmost one only.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Button } from './controls';

const FOCUSABLE = 'a[href],button:not([tabindex="-1"]),input:not([disabled]),select,textarea,[tabindex="0"]';
const open: HTMLElement[] = [];

// True while something lies over the page, so that the page's own keys rest.
export function overlayOpen(): boolean {
    return open.length > 0;
}

function trap(e: KeyboardEvent, box: HTMLElement): void {
    const all = [...box.querySelectorAll<HTMLElement>(FOCUSABLE)].filter(x => x.offsetParent !== null || x === document.activeElement);
    const first = all[0];
    const last = all[all.length - 1];
    if (!first || !last) return e.preventDefault();
    const at = document.activeElement;
    if (e.shiftKey && (at === first || !box.contains(at))) {
        e.preventDefault();
        last.focus();
    } else if (!e.shiftKey && (at === last || !box.contains(at))) {
        e.preventDefault();
        first.focus();
    }
}

export function Overlay({ class: cls, label, onClose, children, scrim = true, testid }: {
    class: string;
    label: string;
    onClose: () => void;
    children: ComponentChildren;
    scrim?: boolean;
    testid?: string;
}) {
    const ref = useRef<HTMLDivElement>(null);
    const close = useRef(onClose);
    close.current = onClose;
    useEffect(() => {
        const box = ref.current!;
        const before = document.activeElement as HTMLElement | null;
        open.push(box);
        if (!box.contains(before)) (box.querySelector<HTMLElement>('[data-autofocus]') ?? box).focus();
        const onKey = (e: KeyboardEvent) => {
            if (open[open.length - 1] !== box || e.defaultPrevented) return;
            if (e.key === 'Escape') {
                e.preventDefault();
                e.stopPropagation();
                close.current();
            } else if (e.key === 'Tab' && scrim) {
                trap(e, box);
            }
        };
        document.addEventListener('keydown', onKey);
        return () => {
            open.splice(open.indexOf(box), 1);
            document.removeEventListener('keydown', onKey);
            if (before?.isConnected) before.focus({ preventScroll: true });
        };
    }, []);
    return (
        <>
            {scrim && <div class="scrim" onClick={onClose} />}
            <div class={cls} role="dialog" aria-modal={scrim ? 'true' : undefined} aria-label={label} tabIndex={-1} ref={ref} data-testid={testid}>
                {children}
            </div>
        </>
    );
}

export function Sheet({ title, head, onClose, children, footer, flush, testid }: {
    title: string;
    head?: ComponentChildren;
    onClose: () => void;
    children: ComponentChildren;
    footer?: ComponentChildren;
    flush?: boolean;
    testid?: string;
}) {
    return (
        <Overlay class="sheet" label={title} onClose={onClose} testid={testid}>
            <header>
                <div class="grow">{head ?? <h2>{title}</h2>}</div>
                <Button icon="close" label="Close" bare kind="quiet" onClick={onClose} />
            </header>
            <div class={flush ? 'body flush' : 'body'}>{children}</div>
            {footer && <footer>{footer}</footer>}
        </Overlay>
    );
}

export function Dialog({ title, onClose, children, footer, testid }: {
    title: string;
    onClose: () => void;
    children: ComponentChildren;
    footer: ComponentChildren;
    testid?: string;
}) {
    return (
        <Overlay class="dialog" label={title} onClose={onClose} testid={testid}>
            <header>
                <div class="grow">
                    <h2>{title}</h2>
                </div>
                <Button icon="close" label="Close" bare kind="quiet" onClick={onClose} />
            </header>
            <div class="body">{children}</div>
            <footer>{footer}</footer>
        </Overlay>
    );
}
