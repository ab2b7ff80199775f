// Small text functions shared by lists and trees.

// A key whose plain comparison orders text as people do: case-insensitive, runs of digits by value.
export function naturalKey(s: string): string {
    return s.toLowerCase().replace(/\d+/g, d => d.replace(/^0+(?=\d)/, '').padStart(16, '0'));
}

export function compare(a: string, b: string): number {
    return a < b ? -1 : a > b ? 1 : 0;
}

// `*` any run, `?` one character; everything else is itself.
export function globToRegExp(glob: string): RegExp {
    return new RegExp('^' + glob.replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.') + '$', 'i');
}

export function isGlob(s: string): boolean {
    return s.includes('*') || s.includes('?');
}

export function plural(n: number, one: string, many = one + 's'): string {
    return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

export function shortRevision(rev: string | undefined): string {
    if (!rev) return '';
    return /^[0-9a-f]{40}$/i.test(rev) ? rev.slice(0, 7) : rev;
}
