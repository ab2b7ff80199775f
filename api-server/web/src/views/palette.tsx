// The palette (specification G5): everything reachable by name, from the store alone.

import uFuzzy from '@leeoniya/ufuzzy';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { IconName } from '../icons/sprite';
import { commands } from '../routes/keys';
import { appHref, navigate } from '../routes/router';
import { apps } from '../store/apps';
import { Icon } from '../widgets/icon';
import { Overlay } from '../widgets/overlay';
import { healthLook } from '../widgets/status';

interface Entry {
    text: string;
    kind: string;
    icon: IconName;
    tone?: string;
    run: () => void;
}

const MAX = 50;
const PAGES: [string, string][] = [
    ['Applications', '/applications'],
    ['Settings', '/settings'],
    ['User info', '/user-info'],
    ['Help', '/help'],
];

function entries(): Entry[] {
    const out: Entry[] = [];
    for (const a of apps.values()) {
        const look = healthLook(a.health);
        out.push({ text: a.name, kind: a.namespace, icon: look.icon, tone: look.tone, run: () => navigate(appHref(a)) });
    }
    for (const [text, to] of PAGES) out.push({ text, kind: 'page', icon: 'right', run: () => navigate(to) });
    for (const c of commands()) {
        if (c.keys !== 'Ctrl+k' && !c.keys.startsWith('g ')) out.push({ text: c.title, kind: c.keys, icon: 'play', run: c.run });
    }
    return out;
}

const fuzzy = new uFuzzy({ intraMode: 1 });

function find(all: Entry[], texts: string[], needle: string): Entry[] {
    if (needle.trim() === '') return all.slice(0, MAX);
    const [ids, info, order] = fuzzy.search(texts, needle, 1, 1000);
    if (!ids) return [];
    const ranked = info && order ? order.map(o => info.idx[o]!) : ids;
    return ranked.slice(0, MAX).map(i => all[i]!);
}

export default function Palette({ onClose }: { onClose: () => void }) {
    const all = useMemo(entries, []);
    const texts = useMemo(() => all.map(e => e.text), [all]);
    const [needle, setNeedle] = useState('');
    const [at, setAt] = useState(0);
    const list = useRef<HTMLUListElement>(null);
    const hits = useMemo(() => find(all, texts, needle), [needle]);

    const pick = (e: Entry | undefined) => {
        if (!e) return;
        onClose();
        // After the focus has gone back, so that what runs may take it.
        setTimeout(e.run, 0);
    };
    const move = (to: number) => {
        const n = Math.max(0, Math.min(hits.length - 1, to));
        setAt(n);
        list.current?.children[n]?.scrollIntoView({ block: 'nearest' });
    };
    const onKey = (e: KeyboardEvent) => {
        if (e.key === 'ArrowDown') move(at + 1);
        else if (e.key === 'ArrowUp') move(at - 1);
        else if (e.key === 'Enter') pick(hits[at]);
        else return;
        e.preventDefault();
    };
    return (
        <Overlay class="dialog palette" label="Find" onClose={onClose} testid="palette">
            <input
                class="input"
                data-autofocus=""
                role="combobox"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-activedescendant={hits.length > 0 ? `palette-${at}` : undefined}
                aria-label="Find applications, pages and commands"
                placeholder="Find applications, pages and commands"
                value={needle}
                onInput={e => {
                    setNeedle(e.currentTarget.value);
                    setAt(0);
                }}
                onKeyDown={onKey}
            />
            <ul id="palette-list" role="listbox" aria-label="Results" ref={list}>
                {hits.map((e, i) => (
                    <li key={i} id={`palette-${i}`} role="option" aria-selected={i === at} onPointerMove={() => i !== at && setAt(i)} onClick={() => pick(e)}>
                        <Icon name={e.icon} class={e.tone} />
                        <span class="ellipsis">{e.text}</span>
                        <span class="kind">{e.kind}</span>
                    </li>
                ))}
            </ul>
            {hits.length === 0 && <div class="none">Nothing is called that.</div>}
        </Overlay>
    );
}
