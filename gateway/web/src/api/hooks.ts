import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { UseQueryOptions } from '@tanstack/react-query';
import { api } from './client';
import type { ApiError } from './error';
import type { Options } from './client';
import type { Answer, PathsWith } from './types';

type Settings<T> = Omit<UseQueryOptions<T, ApiError, T>, 'queryKey' | 'queryFn'>;

/// The key under which an answer is kept: live frames and commands name it by its path.
export function keyOf(path: string, options?: Pick<Options, 'path' | 'query'>): readonly unknown[] {
  return options?.path || options?.query ? [path, options.path ?? {}, options.query ?? {}] : [path];
}

/// Asks a GET of the contract and keeps the answer.
export function useApi<P extends PathsWith<'get'>>(
  path: P,
  options?: Pick<Options, 'path' | 'query'>,
  settings?: Settings<Answer<P, 'get'>>,
) {
  return useQuery<Answer<P, 'get'>, ApiError, Answer<P, 'get'>>({
    queryKey: keyOf(path, options),
    queryFn: ({ signal }) => api.get(path, { ...options, signal } as never),
    ...settings,
  });
}

/// Does a command, then has the lists asked anew that are named by their paths.
export function useCommand<In, Out>(run: (input: In) => Promise<Out>, changes: readonly PathsWith<'get'>[] = []) {
  const queries = useQueryClient();
  return useMutation<Out, ApiError, In>({
    mutationFn: run,
    onSuccess: async () => {
      await Promise.all(changes.map((path) => queries.invalidateQueries({ queryKey: [path] })));
    },
  });
}
