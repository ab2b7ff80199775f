// The list's address keys ↔ its query. Comma lists; the values of labels, annotations, repo and targetRevision are
// encoded once more, as Argo CD does.

import type { Query } from '../lib/listengine';
import { splitSelectors } from '../lib/selector';

const ENCODED = new Set(['labels', 'annotations', 'repo', 'targetRevision']);
export const FACET_KEYS = [
    'showFavorites',
    'health',
    'sync',
    'operation',
    'proj',
    'labels',
    'annotations',
    'cluster',
    'namespace',
    'repo',
    'targetRevision',
    'autoSync',
];

function decode(v: string): string {
    try {
        return decodeURIComponent(v);
    } catch {
        return v;
    }
}

function values(key: string, raw: string): string[] {
    if (!ENCODED.has(key)) return raw.split(',').filter(v => v !== '');
    // Written by hand, a selector may hold commas in parentheses that are not encoded.
    return splitSelectors(raw).map(decode);
}

export function readQuery(p: URLSearchParams): Query {
    const facets: Record<string, string[]> = {};
    for (const k of FACET_KEYS) {
        const raw = p.get(k);
        if (raw) facets[k] = values(k, raw);
    }
    return {
        search: p.get('search') ?? '',
        regex: p.get('regex') === 'true',
        facets,
        sort: p.get('sort') || 'name',
        descending: p.get('dir') === 'desc',
    };
}

export function facetParam(key: string, wanted: string[]): string | null {
    if (wanted.length === 0) return null;
    return wanted.map(v => (ENCODED.has(key) ? encodeURIComponent(v) : v)).join(',');
}

export function activeFacets(q: Query): { facet: string; value: string }[] {
    return FACET_KEYS.flatMap(facet => (q.facets[facet] ?? []).map(value => ({ facet, value })));
}
