import { externalLink, sourceHref } from '../../lib/url';
import { BASE } from '../../rest/http';
import { setParams } from '../../routes/router';
import { keyOfApp, refresh, refreshing, terminate } from '../../store/actions';
import { sourcesOf } from '../../live/rows';
import type { neighbours } from '../../store/apps';
import type { Prefs } from '../../store/prefs';
import { Button, Copy, MenuButton, type MenuEntries } from '../../widgets/controls';
import { HealthStatus, SyncStatus } from '../../widgets/status';
import { Star, syncDenied } from '../applications/parts';
import { appNode, openNode, type AppContext } from './context';

interface Props {
    ctx: AppContext;
    running: boolean;
    near: ReturnType<typeof neighbours>;
    goto: (key: string | undefined) => void;
    view: Prefs['appView'];
    setView: (v: Prefs['appView']) => void;
}

function moreEntries({ ctx: { app, ref }, running }: Props): MenuEntries {
    const source = sourcesOf(app)[0];
    const repo = source && sourceHref(source.repoURL, source.targetRevision, source.path, BASE);
    const links = (app.status?.summary?.externalURLs ?? []).map(u => externalLink(u, BASE)).filter(l => l !== undefined);
    const out: MenuEntries = [
        { label: 'Operation', icon: 'sync', run: () => setParams({ operation: 'true' }, { push: true }) },
        { label: 'History', icon: 'clock', run: () => setParams({ rollback: '0' }, { push: true }) },
        { label: 'Conditions', icon: 'warning', run: () => setParams({ conditions: 'true' }, { push: true }) },
    ];
    if (running) out.push({ label: 'Terminate operation', icon: 'stop', danger: true, run: () => void terminate(ref) });
    if (repo || links.length > 0) out.push(null);
    if (repo) out.push({ label: 'Open the repository', icon: 'git', href: repo, external: true });
    for (const l of links) out.push({ label: l.title, icon: 'external', href: l.href, external: true });
    out.push(null, { label: 'Delete…', icon: 'bin', danger: true, run: () => setParams({ deleteApp: ref.name }, { push: true }) });
    return out;
}

export function Header(p: Props) {
    const { app, ref } = p.ctx;
    const denied = syncDenied({ project: app.spec.project, ...ref });
    const busy = refreshing.value.has(keyOfApp(ref)) || app.metadata.annotations?.['argocd.argoproj.io/refresh'] !== undefined;
    return (
        <header class="app-head">
            <div class="who">
                <Star id={keyOfApp(ref)} name={ref.name} />
                <h1 class="ellipsis" title={ref.name}>
                    {ref.name}
                </h1>
                <Copy text={ref.name} what="the name" />
                <span class="head-states">
                    <HealthStatus value={app.status?.health?.status} />
                    <SyncStatus value={app.status?.sync?.status} />
                </span>
            </div>
            <div class="acts-bar">
                {p.near.index >= 0 && p.near.total > 1 && (
                    <span class="near">
                        <Button kind="quiet" bare icon="left" label="Previous application" disabled={p.near.previous ? undefined : 'This is the first'} onClick={() => p.goto(p.near.previous)} />
                        <span class="muted small">
                            {p.near.index + 1} of {p.near.total}
                        </span>
                        <Button kind="quiet" bare icon="right" label="Next application" disabled={p.near.next ? undefined : 'This is the last'} onClick={() => p.goto(p.near.next)} />
                    </span>
                )}
                <div class="seg" role="group" aria-label="View">
                    <Button icon="tree" label="Tree" pressed={p.view === 'tree'} onClick={() => p.setView('tree')} testid="view-tree" />
                    <Button icon="rows" label="List" pressed={p.view === 'list'} onClick={() => p.setView('list')} testid="view-list" />
                </div>
                <Button icon="info" label="Details" onClick={() => openNode(appNode(ref))} testid="details" />
                <span class="split">
                    <Button icon="refresh" label="Refresh" busy={busy} title="Compare with the latest commit" onClick={() => void refresh(ref).catch(() => {})} testid="refresh" />
                    <MenuButton
                        bare
                        icon="down"
                        label="More ways to refresh"
                        entries={() => [
                            { label: 'Refresh', hint: 'Compare with the latest commit', icon: 'refresh', run: () => void refresh(ref).catch(() => {}) },
                            { label: 'Hard refresh', hint: 'Also drop the manifest cache', icon: 'refresh', run: () => void refresh(ref, 'hard').catch(() => {}) },
                        ]}
                    />
                </span>
                <Button kind="primary" icon="sync" label="Sync" disabled={denied} onClick={() => setParams({ deploy: 'all' }, { push: true })} testid="sync" />
                {p.running && <Button icon="stop" label="Terminate" onClick={() => void terminate(ref)} testid="terminate" />}
                <MenuButton bare icon="more" label="More actions" entries={() => moreEntries(p)} testid="more" />
            </div>
        </header>
    );
}

