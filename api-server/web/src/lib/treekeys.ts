// Moving through the tree with the keyboard. Directions are those of the drawing: "deeper" points away from the root.

import type { Layout } from './treelayout';
import type { Card } from './treemodel';

export type Step = 'deeper' | 'back' | 'next' | 'previous' | 'first' | 'last' | 'activate';

const KEYS: Record<string, Step> = {
    ArrowRight: 'deeper',
    l: 'deeper',
    ArrowLeft: 'back',
    h: 'back',
    ArrowDown: 'next',
    j: 'next',
    ArrowUp: 'previous',
    k: 'previous',
    Home: 'first',
    End: 'last',
    Enter: 'activate',
    ' ': 'activate',
};

// From top to bottom, depth goes down and siblings go right.
const TURNED: Partial<Record<Step, Step>> = { deeper: 'next', next: 'deeper', back: 'previous', previous: 'back' };

export function stepOf(key: string, direction: 'LR' | 'TB'): Step | undefined {
    const s = KEYS[key];
    return s && direction === 'TB' ? (TURNED[s] ?? s) : s;
}

// The card that a step leads to from card i; undefined where there is none.
export function target(step: Step, i: number, cards: readonly Card[], l: Layout): number | undefined {
    switch (step) {
        case 'deeper':
            return l.children[i]![0];
        case 'back':
            return cards[i]!.parent >= 0 ? cards[i]!.parent : undefined;
        case 'next':
            return sameDepth(i, 1, cards);
        case 'previous':
            return sameDepth(i, -1, cards);
        case 'first':
            return 0;
        case 'last':
            return cards.length - 1;
        default:
            return undefined;
    }
}

function sameDepth(i: number, by: 1 | -1, cards: readonly Card[]): number | undefined {
    for (let k = i + by; k >= 0 && k < cards.length; k += by) if (cards[k]!.depth === cards[i]!.depth) return k;
    return undefined;
}
