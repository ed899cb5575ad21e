import type { Container } from '../../../src/crds/container.ts';
import { errorCode } from '../../../src/ports/errors.ts';
import type { ObjectStore } from '../../../src/ports/object-store.ts';

export interface StoreUnderTest {
  store: ObjectStore;
  /** @returns a store of the same objects for which positions up to now are too old */
  forgetful(): Promise<ObjectStore>;
  stop(): Promise<void>;
}

export const namespace = 'default';
export const keyTo = (name: string) => ({ namespace, name });

export function container(name: string, labels: Record<string, string> = {}): Container {
  return {
    apiVersion: 'hostler.dev/v1alpha1',
    kind: 'Container',
    metadata: { namespace, name, labels },
    spec: { image: 'images:debian/12' },
  };
}

/** The code with which `call` fails; `none` when it does not. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'none';
  } catch (error) {
    return errorCode(error);
  }
}
