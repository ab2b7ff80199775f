import { useEffect } from 'preact/hooks';
import { PRODUCT } from '../product';

// "shop · Tree · Applications"
export function useTitle(...parts: string[]): void {
    const title = [...parts.filter(p => p !== ''), PRODUCT].join(' · ');
    useEffect(() => {
        document.title = title;
    }, [title]);
}
