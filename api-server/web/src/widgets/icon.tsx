import { kindCategory, kindGlyph, kindLabel, monogram } from '../icons/kinds';
import type { IconName } from '../icons/sprite';

// An icon next to text is decoration; one that stands alone has a label.
export function Icon({ name, class: extra, label }: { name: IconName; class?: string; label?: string }) {
    return (
        <svg class={extra ? `icon ${extra}` : 'icon'} aria-hidden={label ? undefined : 'true'} role={label ? 'img' : undefined} aria-label={label}>
            <use href={`#i-${name}`} />
        </svg>
    );
}

// The tile of a kind: a glyph for the common ones, the letters of its name for the others.
export function KindTile({ group, kind }: { group: string; kind: string }) {
    const glyph = kindGlyph(kind);
    const cls = `tile-kind k-${kindCategory(group, kind)}`;
    return glyph ? (
        <span class={cls} title={kind}>
            <Icon name={glyph} />
        </span>
    ) : (
        <span class={cls} title={kind}>
            {monogram(kind)}
        </span>
    );
}

export { kindLabel };
