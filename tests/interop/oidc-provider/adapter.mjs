// What the providers keep, in memory.

// Model name -> id -> payload. All providers have them in common.
const tables = new Map();

/** Forgets nothing: the provider's own adapter drops the oldest of 1000 entries, clients among them. */
export class Adapter {
  constructor(model) {
    if (!tables.has(model)) tables.set(model, new Map());
    this.table = tables.get(model);
  }

  async upsert(id, payload) { this.table.set(id, payload); }

  async find(id) { return this.table.get(id); }

  async findByUid(uid) { return [...this.table.values()].find((payload) => payload.uid === uid); }

  async findByUserCode(code) { return [...this.table.values()].find((payload) => payload.userCode === code); }

  async consume(id) { this.table.get(id).consumed = Math.floor(Date.now() / 1000); }

  async destroy(id) { this.table.delete(id); }

  async revokeByGrantId(grantId) { remove(this.table, (payload) => payload.grantId === grantId); }
}

export function remove(table, matches) {
  for (const [id, payload] of table) if (matches(payload)) table.delete(id);
}
