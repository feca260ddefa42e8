/** A map with a maximum number of entries. Past it, the entry that was set longest ago is evicted; reads do not count. */
export interface BoundedCache<T> {
  get(key: string): T | undefined
  set(key: string, value: T): void
  delete(key: string): void
}

export function createBoundedCache<T>(most: number): BoundedCache<T> {
  const entries = new Map<string, T>()
  return {
    get: (key) => entries.get(key),
    set(key, value) {
      entries.delete(key)
      entries.set(key, value)
      if (entries.size > most) entries.delete(entries.keys().next().value as string)
    },
    delete: (key) => void entries.delete(key)
  }
}
