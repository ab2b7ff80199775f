// Our own icons on a 24 grid, 1.75 stroke, in the colour of the text. Each is a list of paths; a leading `!` fills a path
// instead of stroking it, `~` strokes it dashed. Every status has its own silhouette (specification V3).

type Icon = readonly string[];

const HEART = 'M12 20.6 4.3 12.8a5.1 5.1 0 0 1 0-7.2 5 5 0 0 1 7.1 0l.6.6.6-.6a5 5 0 0 1 7.1 0 5.1 5.1 0 0 1 0 7.2z';
const CIRCLE = 'M12 3.2a8.8 8.8 0 1 1 0 17.6 8.8 8.8 0 0 1 0-17.6z';
const RING = 'M12 3.5a8.5 8.5 0 1 1-7.9 5.4';

export const ICONS = {
    // Health
    healthy: ['!' + HEART],
    progressing: [RING],
    degraded: [
        '!M10.9 5.1a5 5 0 0 0-6.6.5 5.1 5.1 0 0 0 0 7.2l6.9 7 1.6-5.1-3-2.4z',
        '!M12.9 5.9a5 5 0 0 1 6.8-.3 5.1 5.1 0 0 1 0 7.2l-6.3 6.4 1.6-5.2-3-2.5z',
    ],
    suspended: [CIRCLE, 'M9.6 8.6v6.8', 'M14.4 8.6v6.8'],
    missing: ['~' + CIRCLE],
    unknown: ['M8.2 8.6a3.9 3.9 0 1 1 5.9 3.6c-1.4.8-2.1 1.6-2.1 3', '!M12 17.8a1.3 1.3 0 1 1 0 2.6 1.3 1.3 0 0 1 0-2.6z'],
    // Sync
    synced: [CIRCLE, 'm8.2 12.2 2.7 2.7 5-5.6'],
    outofsync: [CIRCLE, 'M12 16.6V8', 'm8.4 11.4 3.6-3.6 3.6 3.6'],
    syncunknown: ['~' + CIRCLE, '!M12 10.4a1.6 1.6 0 1 1 0 3.2 1.6 1.6 0 0 1 0-3.2z'],
    bin: ['M4.5 6.5h15', 'M9 6.2V4h6v2.2', 'm6.3 6.8.9 13.2h9.6l.9-13.2', 'M10 10.4v6', 'M14 10.4v6'],
    // Operation
    running: [RING],
    succeeded: ['m4.5 12.8 4.8 4.8L19.8 6.6'],
    failed: [CIRCLE, 'm9 9 6 6', 'm15 9-6 6'],
    error: ['M12 3.8 21.4 20H2.6z', 'M12 10v4.6', '!M12 16.2a1 1 0 1 1 0 2 1 1 0 0 1 0-2z'],
    terminating: ['!M6.5 6.5h11v11h-11z'],
    hook: ['M12 8.4V21', 'M12 3.2a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2z', 'M8.2 11.6h7.6', 'M4 14.4c.4 4 3.6 6.5 8 6.5s7.6-2.5 8-6.5'],
    // Sources
    git: ['M6.5 4.2a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z', 'M6.5 15.4a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z', 'M17.5 6.4a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z', 'M6.5 8.6v6.8', 'M17.5 10.8c0 3.4-4.4 3.4-9.2 4.8'],
    helm: [CIRCLE, 'M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z', 'M12 3.2V9', 'M12 15v5.8', 'M3.2 12H9', 'M15 12h5.8'],
    oci: ['M12 3.4 20 7.6v8.8l-8 4.2-8-4.2V7.6z', 'M4.3 7.8 12 12l7.7-4.2', 'M12 12v8.4'],
    // Controls
    search: ['M10.6 4a6.6 6.6 0 1 1 0 13.2 6.6 6.6 0 0 1 0-13.2z', 'm15.6 15.6 4.8 4.8'],
    filter: ['M3.6 5.5h16.8l-6.6 7.6v6.2l-3.6-1.8v-4.4z'],
    refresh: ['M19.8 12a7.8 7.8 0 1 1-2.3-5.5l2.3 2.3', 'M20 4v5h-5'],
    sync: ['M4.4 10.6A7.8 7.8 0 0 1 18.8 8', 'M19.2 3.8v4.6h-4.6', 'M19.6 13.4A7.8 7.8 0 0 1 5.2 16', 'M4.8 20.2v-4.6h4.6'],
    stop: ['M6.5 6.5h11v11h-11z'],
    more: ['!M12 4.2a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4z', '!M12 10.3a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4z', '!M12 16.4a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4z'],
    down: ['m6 9.4 6 6 6-6'],
    up: ['m6 14.6 6-6 6 6'],
    right: ['m9.4 6 6 6-6 6'],
    left: ['m14.6 6-6 6 6 6'],
    close: ['m6 6 12 12', 'm18 6-12 12'],
    check: ['m4.5 12.8 4.8 4.8L19.8 6.6'],
    plus: ['M12 5v14', 'M5 12h14'],
    minus: ['M5 12h14'],
    fit: ['M4.5 9V4.5H9', 'M15 4.5h4.5V9', 'M19.5 15v4.5H15', 'M9 19.5H4.5V15'],
    copy: ['M8.5 8.5h11v11h-11z', 'M15.5 8.2V4.5h-11v11h3.7'],
    external: ['M13.5 4.5h6v6', 'm19.2 4.8-8.7 8.7', 'M18 14v5.5H4.5V6H10'],
    star: ['m12 3.8 2.5 5.3 5.7.8-4.1 4.1 1 5.8-5.1-2.8-5.1 2.8 1-5.8-4.1-4.1 5.7-.8z'],
    starred: ['!m12 3.2 2.7 5.6 6.1.9-4.4 4.4 1 6.2-5.4-3-5.4 3 1-6.2-4.4-4.4 6.1-.9z'],
    sun: ['M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8z', 'M12 2.8v2', 'M12 19.2v2', 'M2.8 12h2', 'M19.2 12h2', 'm5.5 5.5 1.4 1.4', 'm17.1 17.1 1.4 1.4', 'm18.5 5.5-1.4 1.4', 'm6.9 17.1-1.4 1.4'],
    moon: ['M19.8 14.4A8 8 0 0 1 9.6 4.2a8 8 0 1 0 10.2 10.2z'],
    auto: [CIRCLE, '!M12 3.2v17.6a8.8 8.8 0 0 0 0-17.6z'],
    user: ['M12 4a3.8 3.8 0 1 1 0 7.6A3.8 3.8 0 0 1 12 4z', 'M4.5 20a7.5 7.5 0 0 1 15 0'],
    apps: ['M4 4h6.6v6.6H4z', 'M13.4 4H20v6.6h-6.6z', 'M4 13.4h6.6V20H4z', 'M13.4 13.4H20V20h-6.6z'],
    rows: ['M4 6.5h16', 'M4 12h16', 'M4 17.5h16'],
    chart: ['M12 3.4v8.6l6.4 5.6', CIRCLE],
    tree: ['M3.5 9.5h5v5h-5z', 'M15.5 4h5v5h-5z', 'M15.5 15h5v5h-5z', 'M8.5 12H12', 'M15.5 6.5H12v11h3.5'],
    gear: ['M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6z', 'M12 3v2.6', 'M12 18.4V21', 'M3 12h2.6', 'M18.4 12H21', 'm5.6 5.6 1.9 1.9', 'm16.5 16.5 1.9 1.9', 'm18.4 5.6-1.9 1.9', 'm7.5 16.5-1.9 1.9'],
    help: [CIRCLE, 'M9.4 9.6a2.7 2.7 0 1 1 3.9 2.4c-.9.5-1.3 1-1.3 1.9', '!M12 15.6a1 1 0 1 1 0 2 1 1 0 0 1 0-2z'],
    info: [CIRCLE, 'M12 11v5.4', '!M12 7a1.1 1.1 0 1 1 0 2.2A1.1 1.1 0 0 1 12 7z'],
    warning: ['M12 3.8 21.4 20H2.6z', 'M12 10v4.6', '!M12 16.2a1 1 0 1 1 0 2 1 1 0 0 1 0-2z'],
    clock: [CIRCLE, 'M12 7.4V12l3.2 2.2'],
    group: ['M4 8.5h16V20H4z', 'M6 5.4h12', 'M8 2.6h8'],
    dots: ['!M6.5 4.6a1.9 1.9 0 1 1 0 3.8 1.9 1.9 0 0 1 0-3.8z', '!M12 4.6a1.9 1.9 0 1 1 0 3.8 1.9 1.9 0 0 1 0-3.8z', '!M17.5 4.6a1.9 1.9 0 1 1 0 3.8 1.9 1.9 0 0 1 0-3.8z', '!M6.5 12.6a1.9 1.9 0 1 1 0 3.8 1.9 1.9 0 0 1 0-3.8z', '!M12 12.6a1.9 1.9 0 1 1 0 3.8 1.9 1.9 0 0 1 0-3.8z', '!M17.5 12.6a1.9 1.9 0 1 1 0 3.8 1.9 1.9 0 0 1 0-3.8z'],
    turn: ['M4.5 4.5h6v6h-6z', 'M13.5 13.5h6v6h-6z', 'M14 6h4v4', 'M10 18H6v-4'],
    panel: ['M3.8 4.8h16.4v14.4H3.8z', 'M9.2 4.8v14.4'],
    play: ['M7 4.6 19 12 7 19.4z'],
    // Kinds with a glyph of their own; the others show their letters.
    'k-application': ['M12 3.4 19.5 7.7v8.6L12 20.6l-7.5-4.3V7.7z', 'M12 8.4a3.6 3.6 0 1 1 0 7.2 3.6 3.6 0 0 1 0-7.2z'],
    'k-deployment': ['M19.8 12a7.8 7.8 0 1 1-2.3-5.5', 'm17.6 3.2.2 3.6-3.6.2', 'M9.4 9.4h5.2v5.2H9.4z'],
    'k-replicaset': ['M4 8h12v12H4z', 'M8 4.2h12v12'],
    'k-pod': ['M12 3.4 20 7.6v8.8l-8 4.2-8-4.2V7.6z', 'M4.3 7.8 12 12l7.7-4.2', 'M12 12v8.4'],
    'k-service': ['M12 4h0', 'M9.5 3.8h5v5h-5z', 'M3.6 15.2h5v5h-5z', 'M15.4 15.2h5v5h-5z', 'M12 8.8v3.2', 'M6.1 15.2V12h11.8v3.2'],
    'k-configmap': ['M5.5 3.5h9l4 4v13h-13z', 'M8.8 10.5h6.4', 'M8.8 13.8h6.4', 'M8.8 17h4'],
    'k-secret': ['M5 10.8h14v9.4H5z', 'M8 10.6V8a4 4 0 0 1 8 0v2.6', 'M12 14.4v2.4'],
    'k-job': ['m4.5 12.8 3.4 3.4 5.4-7.4', 'M15 15.8h5', 'M16.2 10h3.8'],
    'k-cronjob': [CIRCLE, 'M12 7.4V12l3.2 2.2'],
    'k-statefulset': ['M4.8 6.2c0-3.4 14.4-3.4 14.4 0v11.6c0 3.4-14.4 3.4-14.4 0z', 'M4.8 6.2c0 3.4 14.4 3.4 14.4 0', 'M4.8 12c0 3.4 14.4 3.4 14.4 0'],
    'k-daemonset': ['M4 4h16v5H4z', 'M4 12h16v8H4z', 'M8 16h0', 'M8 6.5h0'],
    'k-ingress': ['M3.5 12h9.5', 'm9.6 8.2 3.8 3.8-3.8 3.8', 'M13 4.2h7v15.6h-7'],
    'k-namespace': ['M8.6 4.2H4.4v15.6h4.2', 'M15.4 4.2h4.2v15.6h-4.2'],
    'k-persistentvolumeclaim': ['M4.8 6.2c0-3.4 14.4-3.4 14.4 0v11.6c0 3.4-14.4 3.4-14.4 0z', 'M4.8 6.2c0 3.4 14.4 3.4 14.4 0'],
    'k-serviceaccount': ['M12 4a3.8 3.8 0 1 1 0 7.6A3.8 3.8 0 0 1 12 4z', 'M4.5 20a7.5 7.5 0 0 1 15 0'],
    'k-endpointslice': ['M5.4 9.8a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z', 'M18.6 4.2a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z', 'M18.6 15.4a2.2 2.2 0 1 1 0 4.4 2.2 2.2 0 0 1 0-4.4z', 'm7.4 11 9.2-3.6', 'm7.4 13 9.2 3.6'],
} as const satisfies Record<string, Icon>;

export type IconName = keyof typeof ICONS;

const NS = 'http://www.w3.org/2000/svg';

function pathOf(spec: string): SVGPathElement {
    const p = document.createElementNS(NS, 'path');
    const style = spec[0];
    p.setAttribute('d', style === '!' || style === '~' ? spec.slice(1) : spec);
    if (style === '!') {
        p.setAttribute('fill', 'currentColor');
        p.setAttribute('stroke', 'none');
    }
    if (style === '~') p.setAttribute('stroke-dasharray', '3.4 3.5');
    return p;
}

// Puts the sprite into the page, once; icons refer to it by id.
export function installSprite(): void {
    const svg = document.createElementNS(NS, 'svg');
    svg.setAttribute('class', 'sprite');
    svg.setAttribute('aria-hidden', 'true');
    for (const [name, paths] of Object.entries(ICONS)) {
        const s = document.createElementNS(NS, 'symbol');
        s.id = `i-${name}`;
        s.setAttribute('viewBox', '0 0 24 24');
        for (const p of paths) s.append(pathOf(p));
        svg.append(s);
    }
    document.body.prepend(svg);
}
