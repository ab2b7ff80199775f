// Label selectors as the list filter takes them: k, !k, k=v, k==v, k!=v, k in (a,b), k notin (a,b), k>n, k<n.

export type Requirement = (labels: Record<string, string>) => boolean;

const KEY = '([A-Za-z0-9][A-Za-z0-9_./-]*)';
const SET = new RegExp(`^${KEY}\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const PAIR = new RegExp(`^${KEY}\\s*(==|=|!=|>|<|\\s+gt\\s+|\\s+lt\\s+)\\s*(.*)$`);
const EXISTS = new RegExp(`^(!?)\\s*${KEY}$`);

// undefined when the text is not a selector.
export function parseRequirement(text: string): Requirement | undefined {
    const t = text.trim();
    let m = SET.exec(t);
    if (m) {
        const [, key, op, list] = m as unknown as [string, string, string, string];
        const values = new Set(list.split(',').map(v => v.trim()));
        return op === 'in' ? l => key in l && values.has(l[key]!) : l => !(key in l && values.has(l[key]!));
    }
    m = PAIR.exec(t);
    if (m) return comparison(m[1]!, m[2]!.trim(), m[3]!.trim());
    m = EXISTS.exec(t);
    if (m) {
        const key = m[2]!;
        return m[1] ? l => !(key in l) : l => key in l;
    }
    return undefined;
}

function comparison(key: string, op: string, value: string): Requirement {
    switch (op) {
        case '!=':
            return l => l[key] !== value;
        case '>':
        case 'gt':
            return l => key in l && Number(l[key]) > Number(value);
        case '<':
        case 'lt':
            return l => key in l && Number(l[key]) < Number(value);
        default:
            return l => l[key] === value;
    }
}

// Splits a list of selectors at the commas that are not inside parentheses.
export function splitSelectors(text: string): string[] {
    const out: string[] = [];
    let depth = 0;
    let start = 0;
    for (let i = 0; i < text.length; i++) {
        const c = text[i];
        if (c === '(') depth++;
        else if (c === ')') depth--;
        else if (c === ',' && depth === 0) {
            out.push(text.slice(start, i));
            start = i + 1;
        }
    }
    out.push(text.slice(start));
    return out.map(s => s.trim()).filter(s => s !== '');
}
