import { useCallback, useMemo } from 'react';
import { useLocation, useSearch } from 'wouter';

export type UrlValues = Record<string, string>;

/// What is chosen on a page, in the address: so that a link shows the same. Texts that are as in `normal` are left out.
export function useUrlState<V extends UrlValues>(normal: V): [V, (change: Partial<V>, keepStep?: boolean) => void] {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const values = useMemo(() => {
    const given = new URLSearchParams(search);
    return Object.fromEntries(Object.entries(normal).map(([key, one]) => [key, given.get(key) ?? one])) as V;
    // The normal values are written down at the call: they are the same each time.
  }, [search, JSON.stringify(normal)]); // eslint-disable-line
  const change = useCallback(
    (some: Partial<V>, keepStep = false) => {
      const given = new URLSearchParams(location.search);
      for (const [key, one] of Object.entries(some))
        if (one === undefined || one === '' || one === normal[key]) given.delete(key);
        else given.set(key, one);
      const text = given.toString();
      navigate(text ? `${path}?${text}` : path, { replace: !keepStep });
    },
    [navigate, path, JSON.stringify(normal)], // eslint-disable-line
  );
  return [values, change];
}
