/** The name of a type's file and of its page: `awsSecretsManager` is `aws-secrets-manager`. */
export function fileNameOf(type: string): string {
  return type.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
