// Keyboard commands (specification V9). A view registers what can be done in it; the newest view wins. Nothing fires
// while text is typed; keys without a modifier can be switched off; what lies over the page silences the page.

import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { prefs } from '../store/prefs';
import { overlayOpen } from '../widgets/overlay';

export interface Command {
    // "s", "Shift+R", "g a" (one after the other), "Ctrl+k" (⌘ on a Mac).
    keys: string;
    title: string;
    group: string;
    run: () => void;
    // Reachable while an overlay is open.
    always?: boolean;
}

const scopes = signal<Command[][]>([]);

export function commands(): Command[] {
    const seen = new Set<string>();
    return [...scopes.value]
        .reverse()
        .flat()
        .filter(c => !seen.has(c.keys) && seen.add(c.keys));
}

// The list is taken anew on each render, so that handlers see current state.
export function useCommands(list: Command[]): void {
    useEffect(() => {
        scopes.value = [...scopes.peek(), list];
        return () => {
            scopes.value = scopes.peek().filter(s => s !== list);
        };
    });
}

function typing(e: KeyboardEvent): boolean {
    const t = e.target as HTMLElement;
    if (t.isContentEditable || t.tagName === 'TEXTAREA' || t.tagName === 'SELECT') return true;
    return t.tagName === 'INPUT' && !['checkbox', 'radio', 'button'].includes((t as HTMLInputElement).type);
}

function nameOf(e: KeyboardEvent): string {
    const ctrl = e.ctrlKey || e.metaKey ? 'Ctrl+' : '';
    const letter = /^[a-z]$/i.test(e.key);
    const shift = e.shiftKey && (letter || e.key.length > 1) ? 'Shift+' : '';
    const key = letter ? (shift ? e.key.toUpperCase() : e.key.toLowerCase()) : e.key === ' ' ? 'Space' : e.key;
    return ctrl + shift + key;
}

let prefix = '';
let prefixTimer: ReturnType<typeof setTimeout> | undefined;

function onKey(e: KeyboardEvent): void {
    if (e.defaultPrevented || e.altKey || e.isComposing) return;
    const name = nameOf(e);
    const modified = name.startsWith('Ctrl+');
    if (!modified && (typing(e) || (!prefs.peek().singleKeys && name.length === 1))) return;
    const all = commands().filter(c => c.always || !overlayOpen());
    const whole = prefix ? `${prefix} ${name}` : name;
    prefix = '';
    clearTimeout(prefixTimer);
    const hit = all.find(c => c.keys === whole);
    if (hit) {
        e.preventDefault();
        hit.run();
    } else if (all.some(c => c.keys.startsWith(`${name} `))) {
        prefix = name;
        prefixTimer = setTimeout(() => (prefix = ''), 1000);
    }
}

export function startKeys(): void {
    document.addEventListener('keydown', onKey);
}
