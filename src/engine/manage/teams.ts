import { TollgateError } from "../../base/errors.ts";
import type { MemberRecord, TeamRecord } from "../../domain/scopes/records.ts";
import { memberName, type Versioned } from "./directory.ts";
import { onlyFields, sortFields } from "./fields.ts";
import { amount, invalid, readLimits, requiredText, requiredTexts, text, type Body } from "./read-fields.ts";
import { newestFirst, type Records, type Removal, type View, type Write } from "./records.ts";
import { presetSpend, type Spend } from "./spend.ts";

/** Teams and their members. */
export class Teams {
  private readonly records: Records;
  private readonly spend: Spend;

  constructor(records: Records, spend: Spend) {
    this.records = records;
    this.spend = spend;
  }

  create(body: Body): Promise<View<"team">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("team", body);
      const spend = presetSpend(body);
      const teamId = text(body, "team_id") ?? this.records.newId();
      this.records.mustBeNew("team", teamId, "team_id");
      const record: TeamRecord = { ...this.records.base(body, stored), alias: text(body, "team_alias"), teamId };
      checkSoftBudget(record);
      const writes: Write[] = [{ kind: "team", record, version: 0, spend }];
      this.newMembers(teamId, body["members_with_roles"] ?? [], { field: "members_with_roles", limits: {}, maxBudget: undefined }, writes);
      await this.records.commit(writes);
      return this.records.view("team", record, warnings);
    });
  }

  update(body: Body): Promise<View<"team">> {
    return this.records.inOrder(async () => {
      const { stored, warnings } = sortFields("team", body);
      const spend = presetSpend(body);
      if ("members_with_roles" in body) throw invalid("members_with_roles", "is for new teams; use POST /team/member_add, /team/member_update or /team/member_delete");
      const { record: before, version } = this.records.existing("team", requiredText(body, "team_id"));
      const record: TeamRecord = {
        ...before, ...readLimits(body), alias: "team_alias" in body ? text(body, "team_alias") : before.alias,
        stored: { ...before.stored, ...stored }, updatedAt: this.records.now(),
      };
      checkSoftBudget(record);
      await this.records.commit([{ kind: "team", record, version, spend }]);
      return this.records.view("team", record, warnings);
    });
  }

  /** Deletes teams with their keys and memberships. @returns their ids */
  delete(body: Body): Promise<readonly string[]> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["team_ids"]);
      const teamIds = new Set(requiredTexts(body, "team_ids"));
      const removals: Removal[] = [...teamIds].map((teamId) => {
        const { record, version } = this.records.existing("team", teamId);
        return { kind: "team", id: record.id, version };
      });
      for (const kind of ["key", "member"] as const) {
        for (const { record, version } of this.records.directory.all(kind)) {
          if (record.teamId !== undefined && teamIds.has(record.teamId)) removals.push({ kind, id: record.id, version });
        }
      }
      await this.records.commit([], removals);
      return [...teamIds];
    });
  }

  block(body: Body, blocked: boolean): Promise<View<"team">> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["team_id"]);
      const { record, version } = this.records.existing("team", requiredText(body, "team_id"));
      const changed: TeamRecord = { ...record, blocked, updatedAt: this.records.now() };
      await this.records.commit([{ kind: "team", record: changed, version }]);
      return this.records.view("team", changed);
    });
  }

  /** @param body `{ reset_to }` */
  resetSpend(teamId: string, body: Body): ReturnType<typeof this.spend.reset<"team">> {
    return this.spend.reset("team", () => this.records.existing("team", teamId), body);
  }

  /** @param body `{ reset_to }` */
  resetMemberSpend(teamId: string, userId: string, body: Body): ReturnType<typeof this.spend.reset<"member">> {
    return this.spend.reset("member", () => this.member({ team_id: teamId, user_id: userId }), body);
  }

  info(teamId: string): View<"team"> {
    return this.records.view("team", this.records.existing("team", teamId).record);
  }

  /** Newest first. @param userId only teams that this user is a member of */
  list(userId?: string): View<"team">[] {
    const views: View<"team">[] = [];
    for (const { record } of this.records.directory.all("team")) {
      if (userId === undefined || this.records.directory.find("member", memberName(record.teamId, userId)) !== undefined) views.push(this.records.view("team", record));
    }
    return newestFirst(views);
  }

  membersOf(teamId: string): View<"member">[] {
    return [...this.records.directory.all("member")].filter(({ record }) => record.teamId === teamId).map(({ record }) => this.records.view("member", record));
  }

  /** @param body `{ team_id, member: { user_id, role } or a list of them, max_budget_in_team }` */
  addMembers(body: Body): Promise<View<"member">[]> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["team_id", "member", "max_budget_in_team", "budget_duration", "rpm_limit", "tpm_limit"]);
      const { teamId } = this.records.existing("team", requiredText(body, "team_id")).record;
      const writes: Write[] = [];
      const given = Array.isArray(body["member"]) ? (body["member"] as unknown[]) : [body["member"]];
      const members = this.newMembers(teamId, given, { field: "member", limits: memberLimits(body), maxBudget: amount(body, "max_budget_in_team") }, writes);
      await this.records.commit(writes);
      return members.map((record) => this.records.view("member", record));
    });
  }

  /** @param body `{ team_id, user_id, role, max_budget_in_team, budget_duration, rpm_limit, tpm_limit }` */
  updateMember(body: Body): Promise<View<"member">> {
    return this.records.inOrder(async () => {
      const { warnings } = sortFields("member", body);
      const { record: before, version } = this.member(body);
      const record: MemberRecord = {
        ...before, ...readLimits(memberLimits(body)), updatedAt: this.records.now(),
        maxBudget: "max_budget_in_team" in body ? amount(body, "max_budget_in_team") : before.maxBudget,
        role: roleIn(body) ?? before.role,
      };
      await this.records.commit([{ kind: "member", record, version }]);
      return this.records.view("member", record, warnings);
    });
  }

  /** Takes a user out of a team, with the keys that the user has in it. */
  deleteMember(body: Body): Promise<View<"team">> {
    return this.records.inOrder(async () => {
      onlyFields(body, ["team_id", "user_id"]);
      const { record, version } = this.member(body);
      const removals: Removal[] = [{ kind: "member", id: record.id, version }];
      for (const { record: key, version: keyVersion } of this.records.directory.all("key")) {
        if (key.teamId === record.teamId && key.userId === record.userId) removals.push({ kind: "key", id: key.id, version: keyVersion });
      }
      await this.records.commit([], removals);
      return this.info(record.teamId);
    });
  }

  /** @param writes gets the members, and the users that come to be with them */
  private newMembers(teamId: string, given: unknown, { field, limits, maxBudget }: { field: string; limits: Body; maxBudget: string | undefined }, writes: Write[]): MemberRecord[] {
    if (!Array.isArray(given)) throw invalid(field, "must be a list of objects with user_id and role");
    const members = given.map((one: unknown): MemberRecord => {
      if (typeof one !== "object" || one === null) throw invalid(field, "must be an object with user_id and role, or a list of them");
      const userId = requiredText(one as Body, "user_id");
      this.records.mustBeNew("member", memberName(teamId, userId), field);
      this.records.userFor(userId, writes);
      return { ...this.records.base(limits, {}), teamId, userId, role: roleIn(one as Body) ?? "user", maxBudget };
    });
    if (new Set(members.map((member) => member.userId)).size !== members.length) throw invalid(field, "must not name a user twice");
    for (const record of members) writes.push({ kind: "member", record, version: 0 });
    return members;
  }

  private member(body: Body): Versioned<MemberRecord> {
    const { teamId } = this.records.existing("team", requiredText(body, "team_id")).record;
    const userId = requiredText(body, "user_id");
    const found = this.records.directory.find("member", memberName(teamId, userId));
    if (found === undefined) throw new TollgateError("invalid_request", `${JSON.stringify(userId)} is no member of this team. Add the user with POST /team/member_add.`, { param: "user_id" });
    return found;
  }
}

const ROLES = ["user", "admin"];

function roleIn(body: Body): string | undefined {
  const role = text(body, "role");
  if (role !== undefined && !ROLES.includes(role)) throw invalid("role", 'must be "user" or "admin"');
  return role;
}

/** A warning that comes no sooner than the refusal would be none. */
function checkSoftBudget({ softBudget, maxBudget }: TeamRecord): void {
  if (softBudget !== undefined && maxBudget !== undefined && BigInt(softBudget) >= BigInt(maxBudget)) throw invalid("soft_budget", "must be less than max_budget");
}

/** Limits that a membership has of its own; the amount has a name of its own too. */
function memberLimits(body: Body): Body {
  return Object.fromEntries(["budget_duration", "rpm_limit", "tpm_limit"].filter((field) => Object.hasOwn(body, field)).map((field) => [field, body[field]]));
}
