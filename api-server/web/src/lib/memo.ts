// A component that is drawn again only when its own props (or the signals it reads) change.

import { Component, h, type ComponentType } from 'preact';

export function memo<P extends object>(of: (props: P) => preact.ComponentChild): ComponentType<P> {
    function Inner(props: P) {
        return of(props) as preact.JSX.Element;
    }
    return class extends Component<P> {
        override shouldComponentUpdate(next: P): boolean {
            const a = this.props as Record<string, unknown>;
            const b = next as Record<string, unknown>;
            return Object.keys(b).some(k => a[k] !== b[k]);
        }

        override render() {
            return h(Inner as ComponentType<object>, this.props as object);
        }
    } as unknown as ComponentType<P>;
}
