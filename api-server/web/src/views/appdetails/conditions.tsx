import { Ago, Copy } from '../../widgets/controls';
import { Sheet } from '../../widgets/overlay';
import { Blank } from '../../widgets/states';
import { conditionClass, ConditionIcon } from './cards';
import type { AppContext } from './context';

export default function ConditionsPanel({ ctx, onClose }: { ctx: AppContext; onClose: () => void }) {
    const list = ctx.app.status?.conditions ?? [];
    return (
        <Sheet title="Conditions" onClose={onClose} testid="conditions">
            {list.length === 0 ? (
                <Blank icon="check" title="No conditions">
                    The controller has nothing to say about this application.
                </Blank>
            ) : (
                <ul class="conditions">
                    {list.map((c, i) => (
                        <li class={`note ${conditionClass(c) === 'error' ? 'bad' : conditionClass(c) === 'warning' ? 'warn' : ''}`} key={i}>
                            <ConditionIcon of={conditionClass(c)} />
                            <div class="grow">
                                <strong>{c.type}</strong> <span class="muted small"><Ago iso={c.lastTransitionTime} /></span>
                                <pre>{c.message}</pre>
                            </div>
                            <Copy text={c.message} what="the message" />
                        </li>
                    ))}
                </ul>
            )}
        </Sheet>
    );
}
