import type { components, paths } from './schema';

export type Schemas = components['schemas'];
export type Session = Schemas['signed_in'];
export type Frame = Schemas['frame'];
export type EventFrame = Schemas['frame_event'];
export type Node = Schemas['node'];
export type Totals = Schemas['totals'];

export type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';
/// Paths that can be asked with a method.
export type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P][M] extends { responses: unknown } ? P : never;
}[keyof paths];

type Json<R> = R extends { content: { 'application/json': infer J } } ? J : never;
type Good<R> = { [S in keyof R]: S extends 200 | 201 | 202 ? Json<R[S]> : never }[keyof R];
type Parameters<O> = O extends { parameters: infer A } ? A : never;

/// What is answered when it goes well; undefined where there is nothing to answer.
export type Answer<P extends keyof paths, M extends Method> =
  paths[P][M] extends { responses: infer R } ? ([Good<R>] extends [never] ? undefined : Good<R>) : never;
export type Body<P extends keyof paths, M extends Method> =
  paths[P][M] extends { requestBody?: infer B } ? Json<NonNullable<B>> : never;
export type Query<P extends keyof paths, M extends Method> =
  Parameters<paths[P][M]> extends { query?: infer Q } ? Q : never;
