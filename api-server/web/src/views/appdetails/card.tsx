// One card of the tree. At most about 14 elements: hundreds are on the screen. Its label says everything in whole words;
// of the text that is drawn only the name is text, the abbreviations beside it are put there by the style sheet, so that
// nobody has to listen to "po 3d 1/1".

import { useEffect, useRef } from 'preact/hooks';
import { kindCategory, kindGlyph, kindLabel, monogram } from '../../icons/kinds';
import { plural } from '../../lib/text';
import { age } from '../../lib/time';
import { dotsShown, type Box } from '../../lib/treelayout';
import { keyOf, prunes, type Card, type TreeItem } from '../../lib/treemodel';
import { setParams } from '../../routes/router';
import { slowClock } from '../../store/clock';
import { copyText, type MenuEntries } from '../../widgets/controls';
import { Icon } from '../../widgets/icon';
import { healthLook, syncLook } from '../../widgets/status';
import { appNode, kubectlGet, openNode, type AppContext } from './context';

interface Props {
    ctx: AppContext;
    card: Card;
    box: Box;
    direction: 'LR' | 'TB';
    focused: boolean;
    onFocus: (id: string) => void;
    onFold: (c: Card) => void;
    onOpen: (c: Card) => void;
    onMore: (c: Card, at: DOMRect) => void;
}

// Longer names keep this much of their end when they are cut.
const WHOLE = 24;
const TAIL = 11;
const MAX_TAGS = 2;

// What of a resource is worth two words on its card.
function tags(item: TreeItem): string[] {
    const out: string[] = [];
    for (const i of item.node.info ?? []) {
        if (i.name === 'Containers') out.push(i.value);
        else if (i.name === 'Revision') out.push(i.value.toLowerCase().startsWith('rev') ? i.value.toLowerCase() : `rev:${i.value}`);
        else if (i.name === 'Restart Count' && i.value !== '0') out.push(`${i.value} restarts`);
        else if (i.name === 'Status Reason' && i.value !== 'Running') out.unshift(i.value);
    }
    return out;
}

function describe(card: Card, ctx: AppContext): string {
    if (card.kind === 'app') return `Application ${ctx.ref.name}, ${ctx.app.status?.health?.status ?? 'Unknown'}, ${ctx.app.status?.sync?.status ?? 'Unknown'}`;
    if (card.kind === 'stub') return `${card.hidden.toLocaleString('en-US')} hidden by filters`;
    if (card.kind === 'pods') return plural(card.members.length, 'pod');
    if (card.kind === 'group') return `${card.members.length} × ${card.members[0]!.node.kind}`;
    const i = card.item!;
    return [`${i.node.kind} ${i.node.name}`, i.health, i.sync, prunes(i.managed) && 'to be pruned', i.orphaned && 'orphaned', ...tags(i)].filter(Boolean).join(', ');
}

function States({ health, sync, prune }: { health?: string; sync?: string; prune?: boolean }) {
    const h = health ? healthLook(health) : undefined;
    const s = prune ? ({ icon: 'bin', tone: 'c-warn', spin: false } as const) : sync ? syncLook(sync) : undefined;
    return (
        <>
            {h && <Icon name={h.icon} class={`${h.tone}${h.spin ? ' spin' : ''}`} />}
            {s && <Icon name={s.icon} class={s.tone} />}
        </>
    );
}

function KindMark({ group, kind }: { group: string; kind: string }) {
    const glyph = kindGlyph(kind);
    return (
        <span class={`card-kind k-${kindCategory(group, kind)}`} data-text={kindLabel(kind)}>
            {glyph ? <Icon name={glyph} /> : <b data-text={monogram(kind)} />}
        </span>
    );
}

const Short = ({ text }: { text: string }) => <span data-text={text} />;

// Both ends of a long name carry the meaning: the style sheet cuts the first part only.
function Name({ text }: { text: string }) {
    if (text.length <= WHOLE) return <span class="card-name">{text}</span>;
    return (
        <span class="card-name">
            <span class="ellipsis">{text.slice(0, -TAIL)}</span>
            {text.slice(-TAIL)}
        </span>
    );
}

function worst(list: TreeItem[]): string | undefined {
    const order = ['Degraded', 'Missing', 'Unknown', 'Progressing', 'Suspended', 'Healthy'];
    return order.find(h => list.some(i => i.health === h));
}

export function CardView({ ctx, card, box, direction, focused, onFocus, onFold, onOpen, onMore }: Props) {
    const el = useRef<HTMLDivElement>(null);
    const item = card.item;
    const signature = item ? `${item.health} ${item.sync} ${item.node.info?.map(i => i.value).join()}` : `${ctx.app.status?.health?.status} ${ctx.app.status?.sync?.status}`;
    const last = useRef(signature);
    useEffect(() => {
        if (last.current === signature) return;
        last.current = signature;
        if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
        el.current?.animate([{ boxShadow: '0 0 0 3px var(--info)' }, { boxShadow: '0 0 0 3px transparent' }], 900);
    }, [signature]);
    const cls = ['tree-card', `card-${card.kind}`, item?.orphaned && 'orphaned', item && healthLook(item.health).tone.replace('c-', 'edge-')].filter(Boolean).join(' ');
    return (
        <div
            ref={el}
            class={cls}
            role="treeitem"
            aria-level={card.depth + 1}
            aria-setsize={card.size}
            aria-posinset={card.pos}
            aria-expanded={card.hasChildren || card.folded ? !card.folded : undefined}
            aria-selected={focused}
            aria-label={describe(card, ctx)}
            tabIndex={focused ? 0 : -1}
            data-id={card.id}
            data-testid="card"
            title={item ? `${item.node.kind} ${item.node.name}` : undefined}
            style={{ transform: `translate(${box.x}px, ${box.y}px)`, height: `${box.h}px` }}
            onClick={e => {
                onFocus(card.id);
                if (!(e.target as Element).closest('button')) onOpen(card);
            }}
            onContextMenu={e => {
                e.preventDefault();
                onMore(card, new DOMRect(e.clientX, e.clientY, 0, 0));
            }}
            onFocus={e => e.target === e.currentTarget && !focused && onFocus(card.id)}
        >
            {card.kind === 'app' ? <AppFace ctx={ctx} /> : card.kind === 'resource' ? <ItemFace item={item!} /> : <GroupFace card={card} onOpenPod={i => openNode(i.node)} onFold={() => onFold(card)} />}
            {(card.kind === 'app' || card.kind === 'resource') && (
                <button
                    type="button"
                    class="card-more"
                    tabIndex={-1}
                    aria-label="Actions"
                    onClick={e => onMore(card, e.currentTarget.getBoundingClientRect())}
                />
            )}
            {(card.kind === 'app' || card.kind === 'resource') && (card.hasChildren || card.folded) && (
                <button type="button" class={`fold ${direction}`} tabIndex={-1} aria-label={card.folded ? `Show ${card.hidden} below` : 'Fold'} title={card.folded ? `${card.hidden} below` : 'Fold'} data-mark={card.folded ? `+${card.hidden}` : '−'} onClick={() => onFold(card)} />
            )}
        </div>
    );
}

function AppFace({ ctx }: { ctx: AppContext }) {
    return (
        <>
            <KindMark group="argoproj.io" kind="Application" />
            <Name text={ctx.ref.name} />
            <span class="card-meta">
                <States health={ctx.app.status?.health?.status ?? 'Unknown'} sync={ctx.app.status?.sync?.status ?? 'Unknown'} />
                <Short text={age(ctx.app.metadata.creationTimestamp, slowClock.value)} />
            </span>
        </>
    );
}

function ItemFace({ item }: { item: TreeItem }) {
    const n = item.node;
    const all = tags(item);
    const more = all.length - MAX_TAGS;
    return (
        <>
            <KindMark group={n.group ?? ''} kind={n.kind} />
            <Name text={n.name} />
            <span class="card-meta">
                <States health={item.health} sync={item.sync} prune={prunes(item.managed)} />
                {item.managed?.hook && <Icon name="hook" label="Hook" />}
                <Short text={age(n.createdAt, slowClock.value)} />
                {all.slice(0, MAX_TAGS).map(t => (
                    <span class="tag" key={t} data-text={t} />
                ))}
                {more > 0 && <Short text={`+${more}`} />}
            </span>
        </>
    );
}

function GroupFace({ card, onOpenPod, onFold }: { card: Card; onOpenPod: (i: TreeItem) => void; onFold: () => void }) {
    if (card.kind === 'stub') {
        return (
            <>
                <span class="card-kind">
                    <Icon name="filter" />
                </span>
                <span class="card-name">
                    {card.hidden.toLocaleString('en-US')} hidden
                </span>
                <span class="card-meta">
                    <Short text="clear filters" />
                </span>
            </>
        );
    }
    const first = card.members[0]!.node;
    if (card.kind === 'group') {
        return (
            <>
                <KindMark group={first.group ?? ''} kind={first.kind} />
                <span class="card-name">
                    {card.members.length.toLocaleString('en-US')} × {first.kind}
                </span>
                <span class="card-meta">
                    <States health={worst(card.members)} sync={card.members.some(i => i.sync === 'OutOfSync') ? 'OutOfSync' : card.members.find(i => i.sync)?.sync} />
                    <Short text="show all" />
                </span>
            </>
        );
    }
    const shown = dotsShown(card.members.length);
    return (
        <div class="pod-dots">
            <button type="button" class="linkish" tabIndex={-1} onClick={onFold} title="Show them one by one">
                {plural(card.members.length, 'pod')}
                {card.members.length > shown && ` (${shown} shown)`}
            </button>
            <div class="dots">
                {byTrouble(card.members)
                    .slice(0, shown)
                    .map(i => (
                        <button
                            key={i.id}
                            type="button"
                            tabIndex={-1}
                            class={`dot ${healthLook(i.health).tone} d-${(i.health ?? 'Unknown').toLowerCase()}`}
                            title={`${i.node.name}: ${i.health ?? 'Unknown'}`}
                            aria-label={`${i.node.name}: ${i.health ?? 'Unknown'}`}
                            onClick={() => onOpenPod(i)}
                        />
                    ))}
            </div>
        </div>
    );
}

// When not all dots fit, the ones in trouble must.
function byTrouble(list: TreeItem[]): TreeItem[] {
    const order = ['Degraded', 'Missing', 'Unknown', 'Progressing', 'Suspended', 'Healthy'];
    return [...list].sort((a, b) => order.indexOf(a.health ?? 'Unknown') - order.indexOf(b.health ?? 'Unknown'));
}

export function cardMenu(ctx: AppContext, card: Card, fold: (c: Card) => void): MenuEntries {
    const node = card.item?.node ?? appNode(ctx.ref);
    const out: MenuEntries = [
        { label: 'Details', icon: 'info', run: () => openNode(node) },
        { label: 'Manifest', icon: 'k-configmap', run: () => openNode(node, 'manifest') },
        { label: 'Events', icon: 'clock', run: () => openNode(node, 'event') },
    ];
    if (card.kind === 'app') out.push({ label: 'Sync…', icon: 'sync', run: () => setParams({ deploy: 'all' }, { push: true }) });
    else if (card.item?.managed) out.push({ label: 'Sync…', icon: 'sync', run: () => setParams({ deploy: keyOf(node) }, { push: true }) });
    if (card.hasChildren || card.folded) out.push({ label: card.folded ? 'Unfold' : 'Fold', icon: card.folded ? 'plus' : 'minus', run: () => fold(card) });
    out.push(
        null,
        { label: 'Copy name', icon: 'copy', run: () => copyText(node.name, 'the name') },
        { label: 'Copy kubectl command', icon: 'copy', run: () => copyText(kubectlGet(node), 'the command') },
    );
    return out;
}
