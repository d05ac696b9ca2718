import { Keep, type KeepStore, type KeptRecord } from './keep';

const DATABASE = 'tutti';
const RECORDS = 'unsaved';

/** Some browsers never answer, such as with a profile that is broken or full. */
const OPEN_TIMEOUT_MS = 1_500;

const nowhere: KeepStore = { put: () => undefined, remove: () => undefined, settled: () => Promise.resolve() };

/**
 * Opens the browser's store for a project's unsaved edits. Where the browser has
 * none, edits live as long as the page.
 */
export async function openKeep(project: string): Promise<Keep> {
  try {
    const db = await withTimeout(openDatabase());
    const range = IDBKeyRange.bound(`${project}/`, `${project}/\uffff`);
    const records = db.transaction(RECORDS).objectStore(RECORDS).getAll(range) as IDBRequest<KeptRecord[]>;
    return new Keep(storeIn(db), await withTimeout(answerOf(records)));
  } catch (error) {
    console.warn('Unsaved edits cannot outlive this page: the browser offers no storage.', error);
    return new Keep(nowhere, []);
  }
}

function storeIn(db: IDBDatabase): KeepStore {
  const write = (act: (records: IDBObjectStore) => void) => {
    const transaction = db.transaction(RECORDS, 'readwrite');
    transaction.onabort = () => console.warn('An unsaved edit could not be kept by the browser.', transaction.error);
    act(transaction.objectStore(RECORDS));
    transaction.commit();
    return transaction;
  };
  return {
    put: (record) => void write((records) => records.put(record)),
    remove: (key) => void write((records) => records.delete(key)),
    settled: () =>
      new Promise((resolve) => {
        // Transactions on one store take effect in the order in which they were made.
        const last = write(() => undefined);
        last.oncomplete = last.onabort = () => resolve();
      }),
  };
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(RECORDS, { keyPath: 'key' });
  return answerOf(request);
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB refused'));
  });
}

function withTimeout<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('IndexedDB does not answer')), OPEN_TIMEOUT_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
