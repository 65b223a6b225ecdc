import type { UserRecord } from "../../domain/scopes/records.ts";
import { onlyFields, sortFields } from "./fields.ts";
import type { Keys } from "./keys.ts";
import { flag, readLimits, requiredText, requiredTexts, text, type Body } from "./read-fields.ts";
import { newestFirst, type Records, type Removal, type View, type Write } from "./records.ts";
import { presetSpend, type Spend } from "./spend.ts";

/** Internal users: the people (and services) that keys belong to. */
export class Users {
  private readonly records: Records;
  private readonly spend: Spend;
  private readonly keys: Keys;

  constructor(records: Records, spend: Spend, keys: Keys) {
    this.records = records;
    this.spend = spend;
    this.keys = keys;
  }

  /** Makes a user and, unless `auto_create_key` is false, a key of that user. */
  create(body: Body): Promise<View<"user">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("user", body);
      const spend = presetSpend(body);
      const userId = text(body, "user_id") ?? this.records.newId();
      this.records.mustBeNew("user", userId, "user_id");
      const record: UserRecord = { ...this.records.base(body, stored), alias: text(body, "user_alias"), userId };
      const writes: Write[] = [{ kind: "user", record, version: 0, spend }];
      const plain = flag(body, "auto_create_key") === false ? undefined : this.records.ports.randomKey();
      if (plain !== undefined) writes.push({ kind: "key", record: { ...this.keys.newRecord(plain, {}, {}, []), userId }, version: 0 });
      await this.records.commit(writes);
      return { ...this.records.view("user", record, warnings), ...(plain === undefined ? {} : { key: plain }) };
    });
  }

  update(body: Body): Promise<View<"user">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("user", body);
      const spend = presetSpend(body);
      const { record: before, version } = this.records.existing("user", requiredText(body, "user_id"));
      const record: UserRecord = {
        ...before, ...readLimits(body), alias: "user_alias" in body ? text(body, "user_alias") : before.alias,
        stored: { ...before.stored, ...stored }, updatedAt: this.records.now(),
      };
      await this.records.commit([{ kind: "user", record, version, spend }]);
      return this.records.view("user", record, warnings);
    });
  }

  /** Deletes users with their keys and memberships: what they owned must not outlive their limits. @returns how many users */
  delete(body: Body): Promise<number> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["user_ids"]);
      const userIds = new Set(requiredTexts(body, "user_ids"));
      const { directory } = this.records;
      const removals: Removal[] = [...userIds].map((userId) => {
        const { record, version } = this.records.existing("user", userId);
        return { kind: "user", id: record.id, version };
      });
      for (const kind of ["key", "member"] as const) {
        for (const { record, version } of directory.all(kind)) {
          if (record.userId !== undefined && userIds.has(record.userId)) removals.push({ kind, id: record.id, version });
        }
      }
      await this.records.commit([], removals);
      return userIds.size;
    });
  }

  /** @param body `{ reset_to }` */
  resetSpend(userId: string, body: Body): ReturnType<typeof this.spend.reset<"user">> {
    return this.spend.reset("user", () => this.records.existing("user", userId), body);
  }

  info(userId: string): View<"user"> {
    return this.records.view("user", this.records.existing("user", userId).record);
  }

  /** Newest first. */
  list(): View<"user">[] {
    return newestFirst(Array.from(this.records.directory.all("user"), ({ record }) => this.records.view("user", record)));
  }

  /** The teams that a user is a member of. */
  teamsOf(userId: string): string[] {
    return Array.from(this.records.directory.all("member"), ({ record }) => record).filter((member) => member.userId === userId).map((member) => member.teamId);
  }
}
