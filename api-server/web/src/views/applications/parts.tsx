// Pieces that tiles and table share.

import { externalLink, safeHref, sourceHref, sourceKind } from '../../lib/url';
import { foundAt } from '../../lib/listengine';
import { shortRevision } from '../../lib/text';
import { BASE } from '../../rest/http';
import { appHref, href, setParams } from '../../routes/router';
import { keyOfApp, refresh, refreshing, terminate } from '../../store/actions';
import { listQuery } from '../../store/apps';
import { isRunning } from '../../store/appspec';
import { isFavourite, prefs, toggleFavourite } from '../../store/prefs';
import { can, settings } from '../../store/session';
import { toast } from '../../store/toasts';
import type { AppRow } from '../../types';
import type { MenuEntries } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';

export function Found({ text }: { text: string }) {
    const q = listQuery.value;
    const at = foundAt(text, q.search, q.regex);
    if (!at) return <>{text}</>;
    return (
        <>
            {text.slice(0, at[0])}
            <mark>{text.slice(at[0], at[1])}</mark>
            {text.slice(at[1])}
        </>
    );
}

export function displayName(row: AppRow): string {
    return settings.value.appsInAnyNamespaceEnabled ? `${row.namespace}/${row.name}` : row.name;
}

export function rbacObject(row: { project: string; namespace: string; name: string }): string {
    const control = settings.value.controllerNamespace || 'argocd';
    return row.namespace && row.namespace !== control ? `${row.project}/${row.namespace}/${row.name}` : `${row.project}/${row.name}`;
}

export function Star({ id, name }: { id: string; name: string }) {
    const on = prefs.value.favourites.includes(id);
    const toggle = () => {
        toggleFavourite(id);
        const now = isFavourite(id);
        toast('success', now ? `${name} is a favourite` : `${name} is no favourite any more`);
    };
    return (
        <button type="button" class={on ? 'star on' : 'star'} aria-pressed={on} aria-label={`Favourite ${name}`} title={on ? 'Remove from favourites' : 'Add to favourites'} onClick={toggle}>
            <Icon name={on ? 'starred' : 'star'} />
        </button>
    );
}

export function SourceText({ row }: { row: AppRow }) {
    const s = row.sources[0];
    if (!s) return <span class="muted">no source</span>;
    const where = s.chart ? `${s.repoURL} ${s.chart}` : `${s.repoURL} ${s.path ?? ''}`;
    return (
        <span title={`${where} @ ${s.targetRevision || 'HEAD'}`} class="ellipsis">
            {repoName(s.repoURL)}
            <span class="muted"> {s.chart ?? s.path ?? ''}</span>
            {row.sources.length > 1 && <span class="muted"> and {row.sources.length - 1} more</span>}
        </span>
    );
}

export function repoName(url: string): string {
    return url.replace(/\.git$/, '').replace(/^[a-z+]+:\/\/(?:[^@/]*@)?/, '').replace(/^git@([^:]+):/, '$1/').split('/').slice(-2).join('/');
}

export function revisionText(row: AppRow): string {
    return shortRevision(row.sources[0]?.targetRevision || 'HEAD');
}

export const SOURCE_TITLES = { git: 'Git', helm: 'Helm', oci: 'OCI' } as const;
export const kindOfSource = (row: AppRow) => (row.sources[0] ? sourceKind(row.sources[0]) : 'git');

export function isRefreshing(row: AppRow): boolean {
    return row.refreshing || refreshing.value.has(keyOfApp(row));
}

export function openSync(row: { name: string; namespace: string }): void {
    setParams({ syncApp: row.name, appNamespace: row.namespace }, { push: true });
}

// Asked when one application is about to be acted on, never for every row of a list.
export function syncDenied(row: { project: string; namespace: string; name: string }): string | undefined {
    return can('applications', 'sync', rbacObject(row)) ? undefined : `You need applications, sync on ${rbacObject(row)}`;
}

export function appMenu(row: AppRow): MenuEntries {
    const links = row.urls.map(u => externalLink(u, BASE)).filter(l => l !== undefined);
    const s = row.sources[0];
    const source = s && sourceHref(s.repoURL, s.targetRevision, s.path, BASE);
    const managedBy = row.annotations['argocd.argoproj.io/managed-by-url'];
    const out: MenuEntries = [
        { label: 'Details', icon: 'tree', href: href(appHref(row)) },
        { label: 'Sync…', icon: 'sync', disabled: syncDenied(row), run: () => openSync(row) },
        { label: 'Refresh', hint: 'Compare with the latest commit', icon: 'refresh', run: () => void refresh(row).catch(() => {}) },
        { label: 'Hard refresh', hint: 'Also drop the manifest cache', icon: 'refresh', run: () => void refresh(row, 'hard').catch(() => {}) },
    ];
    if (isRunning(row.op) && row.op !== 'Deleting') out.push({ label: 'Terminate operation', icon: 'stop', run: () => void terminate(row) });
    if (source || links.length > 0 || managedBy) out.push(null);
    if (source) out.push({ label: 'Open the repository', icon: 'git', href: source, external: true });
    for (const l of links) out.push({ label: l.title, icon: 'external', href: l.href, external: true });
    if (managedBy) {
        const to = safeHref(managedBy, BASE);
        out.push(
            to
                ? { label: 'Open in its own instance', icon: 'external', href: to, external: true }
                : { label: 'Open in its own instance', icon: 'external', disabled: 'The address in managed-by-url is not valid' },
        );
    }
    out.push(null, { label: 'Delete…', icon: 'bin', danger: true, run: () => setParams({ deleteApp: row.name, appNamespace: row.namespace }, { push: true }) });
    return out;
}
