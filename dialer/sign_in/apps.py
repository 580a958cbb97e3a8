from django.apps import AppConfig


class SignInConfig(AppConfig):
    name = "dialer.sign_in"
    label = "sign_in"
    verbose_name = "Sign-in"
    default_auto_field = "django.db.models.BigAutoField"
