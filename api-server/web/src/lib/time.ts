// Times as people read them: relative in the page, absolute (local and UTC) in the title.

export function parseTime(iso: string | undefined): number {
    return iso ? Date.parse(iso) : NaN;
}

const UNITS: [number, string][] = [
    [86400 * 365, 'y'],
    [86400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
];

// The two leading units: "3d 4h", "12m", "45s"; below a second "0s".
export function duration(ms: number): string {
    let s = Math.max(0, Math.floor(ms / 1000));
    for (let i = 0; i < UNITS.length; i++) {
        const [size, unit] = UNITS[i]!;
        if (s < size && i < UNITS.length - 1) continue;
        const n = Math.floor(s / size);
        s -= n * size;
        const next = UNITS[i + 1];
        const m = next && n < 10 ? Math.floor(s / next[0]) : 0;
        return m > 0 ? `${n}${unit} ${m}${next![1]}` : `${n}${unit}`;
    }
    return '0s';
}

// One unit, for narrow cells: "3d".
export function age(iso: string | undefined, now: number): string {
    const t = parseTime(iso);
    return Number.isNaN(t) ? '' : duration(now - t).split(' ')[0]!;
}

export function ago(iso: string | undefined, now: number): string {
    const t = parseTime(iso);
    if (Number.isNaN(t)) return '';
    return now - t < 5000 ? 'just now' : `${duration(now - t)} ago`;
}

export function absolute(iso: string | undefined): string {
    const t = parseTime(iso);
    if (Number.isNaN(t)) return '';
    const d = new Date(t);
    return `${d.toLocaleString()} (${d.toISOString().replace(/\.\d+Z$/, 'Z')})`;
}
