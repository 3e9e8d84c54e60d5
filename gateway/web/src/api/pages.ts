import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { api } from './client';
import type { ApiError } from './error';
import { keyOf } from './hooks';
import { useSession } from './session';
import type { Schemas } from './types';

type Listed = '/api/v1/users' | '/api/v1/keys' | '/api/v1/prices';
interface One { '/api/v1/users': Schemas['user']; '/api/v1/keys': Schemas['key']; '/api/v1/prices': Schemas['price'] }

/// A list in the order of ids that is read on behind the last one; `more` while there is any.
export function usePages<P extends Listed>(path: P, query: Record<string, string | undefined>) {
  const answer = useInfiniteQuery<{ items: One[P][]; more: boolean }, ApiError>({
    queryKey: keyOf(path, { query }),
    queryFn: ({ pageParam, signal }) => api.get(path as '/api/v1/keys', { query: { ...query, after: pageParam as string | undefined, limit: 200 } as never, signal }) as unknown as Promise<{ items: One[P][]; more: boolean }>,
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => (last.more ? last.items[last.items.length - 1]?.id : undefined),
    placeholderData: (before) => before,
  });
  return { ...answer, rows: answer.data?.pages.flatMap((one) => one.items) ?? [] };
}

/// Everybody, by id: for names in lists of keys. Asked for by whoever may read people only.
export function usePeople(): Map<string, Schemas['user']> {
  const { may } = useSession();
  const answer = useQuery({
    queryKey: ['/api/v1/users', 'everybody'],
    enabled: may('read.people'),
    staleTime: 60_000,
    queryFn: async () => {
      const all: Schemas['user'][] = [];
      for (let after: string | undefined; all.length < 10_000;) {
        const page = await api.get('/api/v1/users', { query: { after, limit: 1000 } as never });
        all.push(...page.items);
        if (!page.more) break;
        after = page.items[page.items.length - 1]?.id;
      }
      return new Map(all.map((one) => [one.id, one]));
    },
  });
  return answer.data ?? new Map<string, Schemas['user']>();
}
