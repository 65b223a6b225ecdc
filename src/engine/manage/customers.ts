import type { CustomerRecord } from "../../domain/scopes/records.ts";
import { onlyFields, sortFields } from "./fields.ts";
import { readLimits, requiredText, requiredTexts, text, type Body } from "./read-fields.ts";
import { newestFirst, type Records, type View, type Write } from "./records.ts";
import { presetSpend, type Spend } from "./spend.ts";

/** Customers: whom the owner of a key serves. A customer has a record only if somebody made it (GATE 10.1). */
export class Customers {
  private readonly records: Records;
  private readonly spend: Spend;

  constructor(records: Records, spend: Spend) {
    this.records = records;
    this.spend = spend;
  }

  create(body: Body): Promise<View<"customer">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("customer", body);
      const spend = presetSpend(body);
      const customerId = requiredText(body, "user_id");
      this.records.mustBeNew("customer", customerId, "user_id");
      const record = this.newRecord(customerId, body, stored);
      await this.records.commit([{ kind: "customer", record, version: 0, spend }]);
      return this.records.view("customer", record, warnings);
    });
  }

  update(body: Body): Promise<View<"customer">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("customer", body);
      const spend = presetSpend(body);
      const { record: before, version } = this.records.existing("customer", requiredText(body, "user_id"));
      const record: CustomerRecord = {
        ...before, ...readLimits(body), alias: "alias" in body ? text(body, "alias") : before.alias,
        stored: { ...before.stored, ...stored }, updatedAt: this.records.now(),
      };
      await this.records.commit([{ kind: "customer", record, version, spend }]);
      return this.records.view("customer", record, warnings);
    });
  }

  /** @returns how many were deleted */
  delete(body: Body): Promise<number> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["user_ids"]);
      const names = new Set(requiredTexts(body, "user_ids"));
      await this.records.commit([], [...names].map((name) => {
        const { record, version } = this.records.existing("customer", name);
        return { kind: "customer", id: record.id, version };
      }));
      return names.size;
    });
  }

  /** Blocks or unblocks. A customer that is blocked before anybody made it is made by that. */
  block(body: Body, blocked: boolean): Promise<View<"customer">[]> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["user_ids"]);
      const writes = [...new Set(requiredTexts(body, "user_ids"))].map((name): Write & { record: CustomerRecord } => {
        const found = blocked ? this.records.directory.find("customer", name) : this.records.existing("customer", name);
        const before = found?.record ?? this.newRecord(requiredText({ user_ids: name }, "user_ids"), {}, {});
        return { kind: "customer", record: { ...before, blocked, updatedAt: this.records.now() }, version: found?.version ?? 0 };
      });
      await this.records.commit(writes);
      return writes.map(({ record }) => this.records.view("customer", record));
    });
  }

  /** @param body `{ reset_to }` */
  resetSpend(customerId: string, body: Body): ReturnType<typeof this.spend.reset<"customer">> {
    return this.spend.reset("customer", () => this.records.existing("customer", customerId), body);
  }

  info(customerId: string): View<"customer"> {
    return this.records.view("customer", this.records.existing("customer", customerId).record);
  }

  /** Newest first. */
  list(): View<"customer">[] {
    return newestFirst(Array.from(this.records.directory.all("customer"), ({ record }) => this.records.view("customer", record)));
  }

  private newRecord(customerId: string, body: Body, stored: Record<string, unknown>): CustomerRecord {
    const record = { ...this.records.base(body, stored), alias: text(body, "alias"), customerId };
    // Where every customer has a budget, this one may have spent of it already: the record takes that scope over.
    return { ...record, id: this.records.directory.unmadeCustomerId(customerId) ?? record.id };
  }
}
