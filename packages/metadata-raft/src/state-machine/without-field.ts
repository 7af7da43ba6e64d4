/** The record without a field, the others in their order: it is part of the bytes of a replica. */
export function withoutField<Record extends object, Field extends keyof Record>(
  record: Record,
  field: Field,
): Omit<Record, Field> {
  return Object.fromEntries(
    Object.entries(record).filter(([name]) => name !== field),
  ) as unknown as Omit<Record, Field>;
}
