// A component that is loaded when it is first shown. A chunk that cannot be had (the server was updated meanwhile, or is
// away) says so and can be tried again.

import type { ComponentType, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Bones, Problem } from '../widgets/states';

export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): (props: P) => JSX.Element {
    let loaded: ComponentType<P> | undefined;
    let pending: Promise<void> | undefined;
    const start = () =>
        (pending ??= load().then(
            c => {
                loaded = c;
            },
            e => {
                pending = undefined;
                throw e;
            },
        ));
    return function Lazy(props: P) {
        const [, redraw] = useState(0);
        const [failed, setFailed] = useState<string>();
        const [attempt, setAttempt] = useState(0);
        useEffect(() => {
            let gone = false;
            if (!loaded) {
                start().then(
                    () => !gone && redraw(n => n + 1),
                    e => !gone && setFailed(String(e)),
                );
            }
            return () => {
                gone = true;
            };
        }, [attempt]);
        if (loaded) {
            const C = loaded;
            return <C {...props} />;
        }
        if (failed) {
            const retry = () => {
                setFailed(undefined);
                setAttempt(n => n + 1);
            };
            return (
                <div class="page">
                    <Problem title="This part of the page could not be loaded." message={failed} retry={retry} />
                </div>
            );
        }
        return (
            <div class="page">
                <Bones />
            </div>
        );
    };
}
