import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { ApiError, sentenceOf } from '../../api/error';
import type { Answer } from '../../api/types';
import { useSession } from '../../api/session';

export interface Values {
  email: string;
  name: string;
  password: string;
  invitation: string;
  reason: string;
  code: string;
  /// With the identity that a sign-in elsewhere brought: there is no password then.
  external: boolean;
}

export type RegistrationMode = Answer<'/api/v1/sign-in', 'get'>['registration'];
export type Stage = 'form' | 'code' | 'waits' | 'done';

export interface Registration {
  values: Values;
  set: (change: Partial<Values>) => void;
  stage: Stage;
  busy: boolean;
  fault: string;
  /// The field that the fault is about.
  faultAt: keyof Values | null;
  reasonNeeded: boolean;
  send: () => Promise<void>;
  back: () => void;
}

const about: Record<string, keyof Values> = {
  password_length: 'password', password_common: 'password', password_personal: 'password',
  registration_domain: 'email', user_exists: 'email', name_refused: 'name', invitation_refused: 'invitation',
  token_refused: 'invitation', token_mistyped: 'invitation', reason_needed: 'reason', code_wrong: 'code',
};

/// The invitation in a link: it is in the fragment, which no server is sent.
export function invitationOf(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('invitation') ?? '';
}

/// What of the values is sent: nothing that is empty.
export function bodyOf(values: Values, stage: Stage): Record<string, string | boolean> {
  const body: Record<string, string | boolean> = {};
  for (const name of ['email', 'name', 'invitation', 'reason'] as const)
    if (values[name].trim()) body[name] = values[name].trim();
  if (values.external) body.external = true;
  else body.password = values.password;
  if (stage === 'code') body.code = values.code.replace(/\s/g, '');
  return body;
}

export function useRegistration(first: Partial<Values>): Registration {
  const { t } = useTranslation();
  const { refresh } = useSession();
  const [values, setValues] = useState<Values>({
    email: '', name: '', password: '', invitation: '', reason: '', code: '', external: false, ...first,
  });
  const [stage, setStage] = useState<Stage>('form');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState('');
  const [faultAt, setFaultAt] = useState<keyof Values | null>(null);
  const [reasonNeeded, setReasonNeeded] = useState(false);

  const send = async (): Promise<void> => {
    if (busy) return;
    setBusy(true);
    setFault('');
    setFaultAt(null);
    try {
      const answer = await api.post('/api/v1/registration', bodyOf(values, stage));
      if (answer.code_sent) return setStage('code');
      setValues((old) => ({ ...old, password: '', invitation: '', code: '' }));
      if (answer.waits_for_approval) setStage('waits');
      else if (answer.csrf) await refresh(); // a session has begun: the page goes on by itself
      else setStage('done');
    } catch (error) {
      const code = error instanceof ApiError ? error.code : '';
      const field = about[code] ?? null;
      if (code === 'reason_needed') setReasonNeeded(true);
      if (stage === 'code' && field && field !== 'code') setStage('form');
      setFaultAt(field);
      setFault(sentenceOf(error, t));
    } finally {
      setBusy(false);
    }
  };
  return {
    values, stage, busy, fault, faultAt, reasonNeeded, send,
    set: (change) => setValues((old) => ({ ...old, ...change })),
    back: () => setStage('form'),
  };
}
