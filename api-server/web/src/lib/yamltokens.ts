// Colours for YAML that we wrote ourselves (block style): one pass over the lines, remembering only whether a block
// scalar is open.

export type TokenKind = 'key' | 'text' | 'number' | 'word' | 'mark' | 'comment';

export interface Token {
    kind: TokenKind;
    text: string;
}

const KEY = /^(\s*(?:- )*)((?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#'"[\]{},&*!|>%@`-][^#]*?|-[^\s#][^#]*?))(:)(\s+|$)/;
const NUMBER = /^-?(?:\d[\d_]*)(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
const WORD = /^(?:true|false|null|~)$/;
const BLOCK = /^[|>][-+0-9]*$/;

function scalar(text: string): Token {
    if (NUMBER.test(text)) return { kind: 'number', text };
    if (WORD.test(text)) return { kind: 'word', text };
    if (BLOCK.test(text) || text === '{}' || text === '[]') return { kind: 'mark', text };
    return { kind: 'text', text };
}

export function tokenLines(lines: string[]): Token[][] {
    // Indent of the key that opened a block scalar; deeper lines belong to it.
    let block = -1;
    return lines.map(line => {
        const indent = line.length - line.trimStart().length;
        if (block >= 0) {
            if (line.trim() === '' || indent > block) return [{ kind: 'text', text: line }];
            block = -1;
        }
        if (line.trimStart().startsWith('#')) return [{ kind: 'comment', text: line }];
        const out: Token[] = [];
        let rest = line;
        const m = KEY.exec(line);
        if (m) {
            if (m[1]) out.push({ kind: 'mark', text: m[1] });
            out.push({ kind: 'key', text: m[2]! }, { kind: 'mark', text: m[3]! + m[4]! });
            rest = line.slice(m[0].length);
        } else {
            const dash = /^\s*(?:- )+/.exec(line)?.[0] ?? '';
            if (dash) out.push({ kind: 'mark', text: dash });
            rest = line.slice(dash.length);
        }
        if (rest !== '') out.push(scalar(rest));
        if (BLOCK.test(rest)) block = m ? m[1]!.length : indent;
        return out;
    });
}
