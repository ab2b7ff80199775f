import { shortRevision } from '../../lib/text';
import { Ago, Copy, Took } from '../../widgets/controls';
import { Sheet } from '../../widgets/overlay';
import { Blank } from '../../widgets/states';
import type { HistoryEntry } from '../../types';
import { Commit } from './cards';
import type { AppContext } from './context';

function who(h: HistoryEntry): string {
    return h.initiatedBy?.automated ? 'automated sync policy' : h.initiatedBy?.username || 'unknown';
}

export default function HistoryPanel({ ctx, onClose }: { ctx: AppContext; onClose: () => void }) {
    const list = [...(ctx.app.status?.history ?? [])].reverse();
    return (
        <Sheet title="History" onClose={onClose} testid="history">
            {list.length === 0 ? (
                <Blank icon="clock" title="Nothing was deployed yet">
                    Each successful sync of the whole application is kept here.
                </Blank>
            ) : (
                <ol class="history">
                    {list.map((h, i) => {
                        const rev = h.revision || h.revisions?.[0] || '';
                        return (
                            <li key={String(h.id)} class="panel" data-testid="history-entry">
                                <div class="value">
                                    <strong class="mono" title={rev}>
                                        {shortRevision(rev) || 'no revision'}
                                    </strong>
                                    {rev && <Copy text={rev} what="the revision" />}
                                    {i === 0 && <span class="tag">current</span>}
                                    <span class="grow" />
                                    <Ago iso={h.deployedAt} />
                                </div>
                                {/^[0-9a-f]{40}$/.test(rev) && <Commit app={ctx.ref} rev={rev} />}
                                <div class="muted small">
                                    by {who(h)}
                                    {h.deployStartedAt && (
                                        <>
                                            , took <Took from={h.deployStartedAt} to={h.deployedAt} />
                                        </>
                                    )}
                                    {i > 0 && (
                                        <>
                                            , active for <Took from={h.deployedAt} to={list[i - 1]!.deployedAt} />
                                        </>
                                    )}
                                </div>
                            </li>
                        );
                    })}
                </ol>
            )}
        </Sheet>
    );
}
