// Screen S6, read-only: one resource in a side panel. The application itself opens here too.

import { useEffect, useState } from 'preact/hooks';
import { keyOf } from '../../lib/treemodel';
import { param, setParams } from '../../routes/router';
import type { ResourceRef } from '../../types';
import { Button, copyText, MenuButton, Tabs, type MenuEntries } from '../../widgets/controls';
import { Icon, KindTile } from '../../widgets/icon';
import { Sheet } from '../../widgets/overlay';
import { HealthStatus, SyncStatus } from '../../widgets/status';
import { kubectlGet, type AppContext } from './context';
import { Events, useEvents } from './events';
import { Manifest } from './manifest';
import { AppSummary, ResourceSummary } from './summary';
import { findTarget, type Target } from './target';

type Tab = 'summary' | 'manifest' | 'event';

function Head({ t }: { t: Target }) {
    const { app } = t.ctx;
    const health = t.isApp ? app.status?.health : (t.node?.health ?? t.managed?.health);
    const entries = (): MenuEntries => [
        { label: 'Copy name', icon: 'copy', run: () => copyText(t.ref.name, 'the name') },
        { label: 'Copy kubectl command', icon: 'copy', run: () => copyText(kubectlGet(t.ref), 'the command') },
        { label: 'Copy link', icon: 'copy', run: () => copyText(location.href, 'the link') },
    ];
    return (
        <div class="panel-head">
            <KindTile group={t.ref.group ?? ''} kind={t.ref.kind} />
            <div class="grow">
                <h2 class="ellipsis" title={t.ref.name}>
                    {t.ref.name}
                </h2>
                <div class="muted small">
                    {t.ref.kind}
                    {t.ref.namespace && ` in ${t.ref.namespace}`}
                </div>
            </div>
            {health && <HealthStatus value={health.status} short />}
            {(t.managed || t.isApp) && <SyncStatus value={t.isApp ? app.status?.sync?.status : t.managed?.status} short />}
            {t.managed && <Button icon="sync" label="Sync" onClick={() => setParams({ deploy: keyOf(t.ref) }, { push: true })} />}
            <MenuButton bare kind="quiet" icon="more" label="More for this resource" entries={entries} />
        </div>
    );
}

export default function ResourcePanel({ ctx, node, onClose }: { ctx: AppContext; node: ResourceRef; onClose: () => void }) {
    const t = findTarget(ctx, node);
    const events = useEvents(t);
    const wanted = param('tab');
    const tab: Tab = wanted === 'manifest' || wanted === 'event' ? wanted : 'summary';
    const warnings = (events.data ?? []).filter(e => e.type !== 'Normal').length;
    const treeReady = ctx.store.tree.table.ready.value;
    // What was shown stays, with the word that it is gone.
    const [seen, setSeen] = useState(false);
    const exists = t.isApp || t.node !== undefined || t.managed !== undefined;
    useEffect(() => {
        if (exists) setSeen(true);
    }, [exists]);

    return (
        <Sheet title={`${t.ref.kind} ${t.ref.name}`} head={<Head t={t} />} onClose={onClose} flush testid="resource-panel">
            <Tabs<Tab>
                label="Parts of the resource"
                current={tab}
                onPick={id => setParams({ tab: id === 'summary' ? null : id })}
                tabs={[
                    { id: 'summary', title: 'Summary' },
                    { id: 'manifest', title: 'Manifest' },
                    { id: 'event', title: 'Events', badge: warnings > 0 ? <span class="badge warn">{warnings}</span> : undefined },
                ]}
            />
            {!exists && treeReady && (
                <div class="pad">
                    <div class="note warn">
                        <Icon name="warning" class="c-warn" />
                        {seen ? 'This resource was deleted or replaced.' : 'There is no such resource in this application.'}
                    </div>
                </div>
            )}
            {tab === 'manifest' ? (
                <Manifest t={t} />
            ) : (
                <div class="pad scroll" tabIndex={0} role="tabpanel" aria-label={tab}>
                    {tab === 'event' ? <Events state={events} /> : t.isApp ? <AppSummary ctx={ctx} /> : <ResourceSummary t={t} />}
                </div>
            )}
        </Sheet>
    );
}
