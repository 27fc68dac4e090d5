// Light or dark: what the system says, or what somebody chose on this device.

export type Theme = "system" | "light" | "dark";
const KEY = "postroad.theme";

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

class ThemeChoice {
  #chosen = $state<Theme>(stored());

  constructor() {
    this.#show();
  }

  get chosen(): Theme {
    return this.#chosen;
  }

  choose(theme: Theme): void {
    this.#chosen = theme;
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
    this.#show();
  }

  #show(): void {
    if (this.#chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.#chosen;
  }
}

export const theme = new ThemeChoice();
