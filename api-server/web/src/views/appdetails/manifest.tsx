// The manifest of a resource as YAML: live and desired.

import { useState } from 'preact/hooks';
import { lazy } from '../../lib/lazy';
import { useLoad } from '../../lib/load';
import { keyOf } from '../../lib/treemodel';
import { api } from '../../rest/api';
import { Button, Check } from '../../widgets/controls';
import { Blank, Bones, Problem } from '../../widgets/states';
import type { Target } from './target';

const YamlView = lazy(() => import('../../widgets/manifest').then(m => m.YamlView));

async function yamlOf(json: string | undefined, hide: boolean): Promise<string> {
    if (!json || json === 'null') return '';
    const { toYaml } = await import('../../widgets/manifest');
    return toYaml(json, { hideManagedFields: hide });
}

export function Manifest({ t }: { t: Target }) {
    const [side, setSide] = useState<'live' | 'desired'>('live');
    const [hide, setHide] = useState(true);
    const { ctx, ref, isApp, managed, node } = t;
    const state = useLoad(async () => {
        if (isApp) return yamlOf(JSON.stringify({ metadata: ctx.app.metadata, spec: ctx.app.spec }), hide);
        if (side === 'live' && node?.uid) return yamlOf((await api.live(ctx.ref, ref)).manifest, hide);
        const list = (await api.managed(ctx.ref, ref)).items ?? [];
        const item = list.find(i => keyOf(i) === keyOf(ref));
        return yamlOf(side === 'live' ? item?.liveState : item?.targetState, hide);
    }, [keyOf(ref), side, hide, node?.resourceVersion, isApp && ctx.app.metadata.resourceVersion]);
    const missing = side === 'live' ? 'This resource is not in the cluster.' : 'This resource is not in Git: a sync with prune would delete it.';
    return (
        <>
            <div class="manifest-bar">
                {managed && (
                    <div class="seg" role="group" aria-label="Which manifest">
                        <Button tiny label="Live" pressed={side === 'live'} onClick={() => setSide('live')} />
                        <Button tiny label="Desired" pressed={side === 'desired'} onClick={() => setSide('desired')} testid="desired" />
                    </div>
                )}
                <Check label="Hide managed fields" checked={hide} onChange={setHide} />
            </div>
            {state.error ? (
                <div class="pad">
                    <Problem title="The manifest could not be loaded." message={state.error} retry={state.reload} />
                </div>
            ) : state.data === undefined ? (
                <div class="pad">
                    <Bones rows={12} />
                </div>
            ) : state.data === '' ? (
                <Blank icon="missing" title={missing}>
                    {[ref.group, ref.version].filter(Boolean).join('/')} {ref.kind} {ref.name}
                </Blank>
            ) : (
                <YamlView text={state.data} label={`Manifest of ${ref.name}`} />
            )}
        </>
    );
}
