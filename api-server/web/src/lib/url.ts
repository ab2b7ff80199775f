// Links from the cluster are outside input: only http, https and relative ones are rendered (specification G12).

export function safeHref(url: string | undefined, base: string): string | undefined {
    if (!url) return undefined;
    try {
        const u = new URL(url, base);
        return u.protocol === 'http:' || u.protocol === 'https:' ? u.href : undefined;
    } catch {
        return undefined;
    }
}

// `title|url` entries of status.summary.externalURLs.
export function externalLink(entry: string, base: string): { title: string; href: string } | undefined {
    const bar = entry.lastIndexOf('|');
    const url = bar < 0 ? entry : entry.slice(bar + 1);
    const href = safeHref(url.trim(), base);
    if (!href) return undefined;
    return { title: (bar < 0 ? new URL(href).host : entry.slice(0, bar)).trim() || href, href };
}

// Where to go after login: path and query only, and only on our own origin, below the base.
export function returnPath(value: string | null, base: string): string {
    if (!value) return '';
    try {
        const b = new URL(base);
        const u = new URL(value, b);
        if (u.origin !== b.origin || !u.pathname.startsWith(b.pathname)) return '';
        return u.pathname.slice(b.pathname.length - 1) + u.search;
    } catch {
        return '';
    }
}

// A browsable page for a source, for the hosts whose URLs are known; else the repository itself when it is http(s).
export function sourceHref(repoURL: string, revision: string | undefined, path: string | undefined, base: string): string | undefined {
    const ssh = /^(?:ssh:\/\/)?git@([^/:]+)[/:](.+)$/.exec(repoURL);
    const web = (ssh ? `https://${ssh[1]}/${ssh[2]}` : repoURL).replace(/\.git$/, '');
    if (!/^https?:\/\//.test(web)) return undefined;
    const host = safeHref(web, base);
    if (!host) return undefined;
    const rev = encodeURIComponent(revision || 'HEAD');
    if (/^https:\/\/github\./.test(web)) return `${web}/tree/${rev}/${path ?? ''}`;
    if (/^https:\/\/gitlab\./.test(web)) return `${web}/-/tree/${rev}/${path ?? ''}`;
    return host;
}

export type SourceKind = 'git' | 'helm' | 'oci';

export function sourceKind(s: { repoURL: string; chart?: string }): SourceKind {
    if (s.repoURL.startsWith('oci://')) return 'oci';
    return s.chart ? 'helm' : 'git';
}
