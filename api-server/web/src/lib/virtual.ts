// Which rows of a list with fixed heights are in view.

export interface Range {
    from: number;
    // Exclusive.
    to: number;
}

export function visibleRange(scroll: number, height: number, row: number, count: number, overscan: number): Range {
    const from = Math.max(0, Math.floor(scroll / row) - overscan);
    const to = Math.min(count, Math.ceil((scroll + height) / row) + overscan);
    return { from: Math.min(from, to), to };
}

// The scroll offset that brings a row into view, or the one there is.
export function scrollToRow(index: number, scroll: number, height: number, row: number): number {
    const top = index * row;
    if (top < scroll) return top;
    if (top + row > scroll + height) return top + row - height;
    return scroll;
}

// Where to scroll so that the first row in view stays where it is when rows came or went above it.
export function anchored(before: readonly string[], after: readonly string[], scroll: number, row: number): number {
    if (scroll <= 0 || before === after) return scroll;
    const first = Math.floor(scroll / row);
    for (let i = first; i < Math.min(before.length, first + 50); i++) {
        const now = after.indexOf(before[i]!);
        if (now >= 0) return Math.max(0, scroll + (now - i) * row);
    }
    return scroll;
}
